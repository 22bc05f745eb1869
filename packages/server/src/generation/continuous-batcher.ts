import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { nextTurn } from '../serving/next-turn.js';
import { RowAllotment } from './row-allotment.js';
import type { RowDecoder } from './row-decoder.js';
import type { Sequence } from './sequence.js';

/** How sequences share the decoder. */
export interface ContinuousBatcherOptions {
  /** Named in errors. */
  readonly model: string;
  /** Sequences that may wait for a row. */
  readonly maxQueueSize: number;
  /** Told of each run of the decoder. */
  readonly onStep?: (step: { readonly rowCount: number; readonly nanoseconds: number }) => void;
}

/**
 * Decodes many sequences at once: each step of the decoder takes a token of every row that goes on, and a piece of the prompts of
 * those that have joined, so that a long prompt holds nobody up for longer than one piece takes. A row is free again as soon as its sequence
 * ends, is cancelled, or is too late. Where the decoder is lost (its process has died), its sequences are read into the next one and go on.
 */
export class ContinuousBatcher {
  readonly #session: RowDecoder;
  readonly #rows: RowAllotment;
  readonly #options: ContinuousBatcherOptions;
  readonly #waiting = new Set<Sequence>();
  #loop: Promise<void> | undefined;
  #isClosed = false;

  constructor(session: RowDecoder, options: ContinuousBatcherOptions) {
    this.#session = session;
    this.#rows = new RowAllotment(session);
    this.#options = options;
  }

  /** Sequences that wait for a row. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** @throws {@link ModelwrightError} `queue-full`, `model-unavailable` once it is closed. */
  add(sequence: Sequence): void {
    const { model, maxQueueSize } = this.#options;
    if (this.#isClosed) throw this.#closedError();
    if (this.#waiting.size >= maxQueueSize + this.#rows.freeCount)
      throw new ModelwrightError('queue-full', `${maxQueueSize} texts wait for model '${model}' already`, {
        allowed: maxQueueSize,
        retryAfterSeconds: 1,
      });
    this.#waiting.add(sequence);
    this.#loop ??= this.#run();
  }

  /** Takes no more; what is under way may go on for a while. Frees the session. */
  async close(drainMilliseconds: number): Promise<void> {
    this.#isClosed = true;
    const timer = setTimeout(() => {
      for (const sequence of [...this.#waiting, ...this.#rows.running().map(([, running]) => running)])
        sequence.fail(this.#closedError());
    }, drainMilliseconds);
    try {
      await this.#loop;
    } finally {
      clearTimeout(timer);
    }
    await this.#session.dispose();
  }

  async #run(): Promise<void> {
    // Those that arrive in one turn begin together; and what computes on this thread lets others have theirs.
    await turn();
    while (this.#settle()) {
      await this.#step();
      await turn();
    }
    this.#loop = undefined;
  }

  /** Frees rows of those that have ended and gives them to those that wait. @returns whether there is something to do. */
  #settle(): boolean {
    const now = performance.now();
    for (const [row, sequence] of this.#rows.running()) {
      sequence.expire(now);
      if (sequence.isEnded) this.#rows.free(row);
    }
    for (const sequence of this.#waiting) {
      sequence.expire(now);
      if (sequence.isEnded) this.#waiting.delete(sequence);
    }
    for (const sequence of this.#waiting) {
      if (this.#rows.freeCount === 0) break;
      this.#waiting.delete(sequence);
      this.#rows.give(sequence);
    }
    return this.#rows.running().length > 0;
  }

  async #step(): Promise<void> {
    const given = this.#nextTokens();
    const started = performance.now();
    try {
      const before = given.map(({ row }) => this.#session.heldBy(row));
      const scores = await this.#session.feed(given, {
        isWanted: () => given.some(({ sequence }) => !sequence.isEnded),
      });
      for (const [index, { row, tokens, sequence }] of given.entries()) {
        const held = this.#session.heldBy(row);
        this.#rows.hold(row, tokens.slice(0, held - (before[index] as number)));
        // In the middle of a prompt the scores say nothing new.
        if (sequence.isEnded || sequence.next(held).length > 0) continue;
        this.#draw(sequence, scores.get(row) as Float32Array, held === this.#session.maxLength);
      }
    } catch (error) {
      // Whatever has failed, the buffers may be half written.
      this.#rows.forget();
      const isLost = isModelwrightError(error, 'model-unavailable');
      for (const [, sequence] of this.#rows.running())
        if (!isLost || !sequence.beginsAgain()) sequence.fail(isModelwrightError(error) ? error : this.#failure(error));
    }
    const nanoseconds = Math.round((performance.now() - started) * 1e6);
    this.#options.onStep?.({ rowCount: given.length, nanoseconds });
  }

  /** One token of each row that goes on; of prompts, in the order of arrival, as many as one piece has. */
  #nextTokens(): { readonly row: number; readonly tokens: readonly number[]; readonly sequence: Sequence }[] {
    let room = this.#session.longestChunk;
    return this.#rows.running().flatMap(([row, sequence]) => {
      const next = sequence.next(this.#session.heldBy(row));
      if (next.length === 1) return [{ row, tokens: next, sequence }];
      const tokens = next.slice(0, room);
      room -= tokens.length;
      return tokens.length === 0 ? [] : [{ row, tokens, sequence }];
    });
  }

  #draw(sequence: Sequence, scores: Float32Array, isFull: boolean): void {
    try {
      sequence.take(scores, isFull);
    } catch (error) {
      sequence.fail(error);
    }
  }

  #failure(cause: unknown): ModelwrightError {
    return new ModelwrightError('backend-failure', `model '${this.#options.model}' failed to decode`, { cause });
  }

  #closedError(): ModelwrightError {
    return new ModelwrightError('model-unavailable', `model '${this.#options.model}' is being unloaded`);
  }
}

function turn(): Promise<void> {
  return new Promise(nextTurn);
}
