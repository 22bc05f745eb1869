import type { GenerationPiece } from '../contract/generation.js';

/** Pieces of an answer between the decoder, which does not wait, and a reader, who may be slow: what piles up is joined to one. */
export class PieceBuffer {
  #held: GenerationPiece | undefined;
  #error: unknown;
  #isFailed = false;
  #wake: (() => void) | undefined;

  push(piece: GenerationPiece): void {
    this.#held = this.#held === undefined ? piece : joined(this.#held, piece);
    this.#wake?.();
  }

  /** Ends it; what has come before is still given. */
  fail(error: unknown): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#error = error;
    this.#wake?.();
  }

  /** The next piece, when there is one. @throws what it failed with. */
  async take(): Promise<GenerationPiece> {
    while (true) {
      const piece = this.#held;
      this.#held = undefined;
      if (piece !== undefined) return piece;
      if (this.#isFailed) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function joined(first: GenerationPiece, second: GenerationPiece): GenerationPiece {
  const { logprobs } = first;
  return {
    ...first,
    ...second,
    text: first.text + second.text,
    tokens: [...first.tokens, ...second.tokens],
    ...(logprobs === undefined ? {} : { logprobs: [...logprobs, ...(second.logprobs ?? [])] }),
  };
}
