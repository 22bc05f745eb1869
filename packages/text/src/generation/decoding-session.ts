import { type Backend, type Executable, type Model, type RunOptions, Tensor, zeros } from '@modelwright/core';
import { type DecodingInputs, type DecodingOptions, decodingInputs, decodingProgram } from './decoding-program.js';

/** What a session is opened for. */
export interface DecodingSessionOptions extends Omit<DecodingOptions, 'chunk'> {
  readonly backend: Backend;
  readonly batch: number;
  readonly maxLength: number;
}

/** A prompt is read in pieces of at most this many tokens: scores take `pieces · maxLength` for each head. */
const longestChunk = 512;
/** Sizes of pieces for backends that compile for one size; what is left of a prompt goes into the smallest that fits. */
const chunkSizes: readonly number[] = [8, 32, 128, 512];

/**
 * Rows of tokens under way on a backend: their keys and values, and the program that reads prompts and goes on token by token
 * over them; for backends that compile for one size, a program for each size.
 */
export class DecodingSession {
  readonly batch: number;
  readonly maxLength: number;
  readonly #model: Model;
  readonly #options: DecodingSessionOptions;
  readonly #inputs: DecodingInputs;
  /** Takes any number of tokens if the backend has symbolic shapes, else one. Owns the state, which the others share. */
  readonly #first: Executable;
  readonly #readers: Map<number, Promise<Executable>> = new Map();
  readonly #held: number[];

  /** Compiles the program that is always needed; others follow when they are. */
  static async open(model: Model, options: DecodingSessionOptions): Promise<DecodingSession> {
    const program = decodingProgram(model, { ...options, chunk: isOpenFor(options) ? 'time' : 1 });
    const first = await options.backend.compile(program, { name: `${model.name} decoding` });
    return new DecodingSession(model, options, { first, inputs: decodingInputs(program) });
  }

  private constructor(
    model: Model,
    options: DecodingSessionOptions,
    { first, inputs }: { readonly first: Executable; readonly inputs: DecodingInputs },
  ) {
    this.#model = model;
    this.#options = options;
    this.batch = options.batch;
    this.maxLength = options.maxLength;
    this.#first = first;
    this.#inputs = inputs;
    this.#held = new Array<number>(options.batch).fill(0);
  }

  /** How many tokens a row holds. */
  heldBy(row: number): number {
    return this.#held[row] as number;
  }

  /** Forgets all tokens. What the buffers hold is never read again. */
  async reset(): Promise<void> {
    await this.#first.writeState({ position: zeros('int64', [this.batch]) });
    this.#held.fill(0);
  }

  /**
   * Appends tokens to the rows.
   *
   * @param rows - As many as the batch, each with as many tokens as it has room for; none for a row that stands still.
   * @returns for each row the logits after its last token; undefined for one that was given none.
   */
  async feed(
    rows: readonly ArrayLike<number>[],
    options: Pick<RunOptions, 'signal'> = {},
  ): Promise<(Float32Array | undefined)[]> {
    const results = new Array<Float32Array | undefined>(this.batch).fill(undefined);
    const longest = rows.reduce((most, { length }) => Math.max(most, length), 0);
    for (let start = 0; start < longest; ) {
      const size = this.#chunkFor(longest - start);
      const logits = await this.#run(rows, { start, size }, options);
      rows.forEach(({ length }, row) => {
        if (length > start && length <= start + size) results[row] = rowOf(logits, row);
      });
      start += size;
    }
    return results;
  }

  async dispose(): Promise<void> {
    // The first executable owns the state and goes last.
    for (const reader of this.#readers.values()) await (await reader).dispose();
    await this.#first.dispose();
  }

  /** The size of the next piece. Padding may not reach beyond the buffers, where it would fall on the last position. */
  #chunkFor(wanted: number): number {
    if (isOpenFor(this.#options)) return Math.min(wanted, longestChunk);
    const room = this.maxLength - Math.max(...this.#held);
    const fitting = chunkSizes.filter((size) => size <= room);
    if (wanted < 3) return 1;
    return fitting.find((size) => size >= wanted) ?? fitting.at(-1) ?? 1;
  }

  async #run(
    rows: readonly ArrayLike<number>[],
    { start, size }: { start: number; size: number },
    options: Pick<RunOptions, 'signal'>,
  ): Promise<Tensor> {
    const executable = size === 1 || isOpenFor(this.#options) ? this.#first : await this.#reader(size);
    const counts = rows.map(({ length }) => Math.min(Math.max(length - start, 0), size));
    const { tokens, lengths } = this.#inputs;
    const ids = tokens.dtype === 'int64' ? new BigInt64Array(this.batch * size) : new Int32Array(this.batch * size);
    rows.forEach((row, index) => {
      for (let place = 0; place < (counts[index] as number); place++) {
        const id = row[start + place] as number;
        ids[index * size + place] = (tokens.dtype === 'int64' ? BigInt(id) : id) as never;
      }
    });
    const result = await executable.run(
      {
        [tokens.name]: new Tensor(tokens.dtype, [this.batch, size], ids),
        [lengths.name]: new Tensor('int64', [this.batch], BigInt64Array.from(counts, BigInt)),
      },
      options,
    );
    counts.forEach((count, row) => {
      this.#held[row] = (this.#held[row] as number) + count;
    });
    return result['logits'] as Tensor;
  }

  #reader(chunk: number): Promise<Executable> {
    const known = this.#readers.get(chunk) ?? this.#compileReader(chunk);
    this.#readers.set(chunk, known);
    // A program that cannot be compiled is tried again when it is wanted again.
    known.catch(() => this.#readers.delete(chunk));
    return known;
  }

  #compileReader(chunk: number): Promise<Executable> {
    const program = decodingProgram(this.#model, { ...this.#options, chunk });
    return this.#options.backend.compile(program, { name: `${this.#model.name} reading`, shareState: this.#first });
  }
}

/** Whether one program serves prompts and single tokens alike. */
function isOpenFor({ backend }: DecodingSessionOptions): boolean {
  return backend.capabilities.symbolicShapes;
}

function rowOf({ data, shape }: Tensor, row: number): Float32Array {
  const count = shape[1] as number;
  return Float32Array.from((data as Float32Array).subarray(row * count, (row + 1) * count));
}
