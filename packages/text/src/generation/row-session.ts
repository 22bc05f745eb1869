import { type Backend, type Executable, type Model, ModelwrightError, type Program, Tensor } from '@modelwright/core';
import { type DecodingInputs, type DecodingOptions, decodingInputs, decodingProgram } from './decoding-program.js';

/** What a row session is opened for. */
export interface RowSessionOptions extends Pick<DecodingOptions, 'output'> {
  readonly backend: Backend;
  /** Rows at a time. */
  readonly batch: number;
  /** Tokens a row may hold. */
  readonly maxLength: number;
  /** A prompt is read in pieces of at most this many tokens. Default 128. */
  readonly longestChunk?: number;
  /**
   * A second program, which saves a step of all rows the copy of what they hold, is compiled for models whose weights take no more than this: each
   * program has them once. Default 256 MiB.
   */
  readonly mostDuplicatedBytes?: number;
}

/** Tokens for one row. */
export interface RowTokens {
  readonly row: number;
  /** At least one, and no more than the row has room for; one for a row that goes on, more for one that reads its prompt. */
  readonly tokens: ArrayLike<number>;
}

/** What is read of a prompt. */
interface Prompt extends RowTokens {
  readonly tokens: readonly number[];
}

/** Sizes of pieces for backends that compile for one size. */
const chunkSizes: readonly number[] = [8, 32, 128, 512];

/** A compiled program and its inputs. */
interface Compiled {
  readonly executable: Executable;
  readonly inputs: DecodingInputs;
}

/**
 * Rows of tokens that come and go by themselves over one set of buffers for keys and values: each row may begin anew, or go back to what it held
 * before, while others go on. Rows that go on take a step together; a prompt is read in pieces by a program that computes its row alone.
 *
 * Calls must not overlap.
 */
export class RowSession {
  readonly batch: number;
  readonly maxLength: number;
  /** What the buffers take, and the weights of each program. */
  readonly memoryBytes: number;
  /** How many scores a token has. */
  readonly vocabularySize: number;
  /** The most tokens that one call reads of a row. */
  readonly longestChunk: number;
  /** For programs that are compiled later; let go where there will be none. */
  #model: Model | undefined;
  readonly #options: RowSessionOptions;
  /** Takes any number of tokens of any rows if the backend has symbolic shapes, else one of every row. Owns the state, which the others share. */
  readonly #first: Compiled;
  readonly #others: Map<string, Promise<Compiled>> = new Map();
  /** Whether there is a program for a step of all rows. */
  readonly #hasStep: boolean;
  readonly #held: number[];

  /** Compiles what is always needed. @throws {@link ModelwrightError} as {@link decodingProgram}. */
  static async open(model: Model, options: RowSessionOptions): Promise<RowSession> {
    const isOpen = isOpenFor(options);
    const program = decodingProgram(model, isOpen ? { ...options, ...open } : { ...options, positions: 'given' });
    const executable = await options.backend.compile(program, { name: `${model.name} decoding` });
    const session = new RowSession(model, options, { executable, program });
    if (session.#hasStep && isOpen) await session.#step();
    if (isOpen) session.#model = undefined;
    return session;
  }

  private constructor(
    model: Model,
    options: RowSessionOptions,
    { executable, program }: { readonly executable: Executable; readonly program: Program },
  ) {
    this.#model = model;
    this.#options = options;
    this.batch = options.batch;
    this.maxLength = options.maxLength;
    this.longestChunk = options.longestChunk ?? 128;
    this.vocabularySize = program.graph.outputs[0]?.value.shape[1] as number;
    this.#first = { executable, inputs: decodingInputs(program) };
    const weightBytes = bytesOf(program.graph.constants.values());
    this.#hasStep = !isOpenFor(options) || weightBytes <= (options.mostDuplicatedBytes ?? 2 ** 28);
    const copies = this.#hasStep ? 2 : 1;
    this.memoryBytes = bytesOf(program.state.map(({ initial }) => initial)) + copies * weightBytes;
    this.#held = new Array<number>(options.batch).fill(0);
  }

  /** How many tokens a row holds. */
  heldBy(row: number): number {
    return this.#held[row] as number;
  }

  /**
   * Forgets what a row holds behind its first `length` tokens; 0 begins anew.
   *
   * @throws {@link ModelwrightError} `invalid-argument` if it holds less.
   */
  rewind(row: number, length: number): void {
    const held = this.#held[row];
    if (held === undefined || !(length >= 0 && length <= held))
      throw new ModelwrightError('invalid-argument', `row ${row} holds ${held} tokens; it cannot go back to ${length}`);
    this.#held[row] = length;
  }

  /**
   * Appends tokens to some rows: one token each to those that go on, together, and a piece of a prompt to each of the others.
   *
   * @param given - Each row once. Of a prompt at most {@link longestChunk} tokens are taken; the caller goes on from {@link heldBy}.
   * @returns by row, the logits after the last token that was taken.
   */
  async feed(given: readonly RowTokens[]): Promise<ReadonlyMap<number, Float32Array>> {
    const results = new Map<number, Float32Array>();
    const steps = given.filter(({ tokens }) => tokens.length === 1);
    if (steps.length > 0) await this.#take(steps, 1, results);
    for (const group of this.#prompts(given)) {
      const size = Math.max(...group.map(({ tokens }) => tokens.length));
      for (let start = 0; start < size; ) {
        const piece = this.#sizeFor(group, size - start);
        await this.#take(
          group.map(({ row, tokens }) => ({ row, tokens: tokens.slice(start, start + piece) })),
          piece,
          results,
        );
        start += piece;
      }
    }
    return results;
  }

  async dispose(): Promise<void> {
    // The first executable owns the state and goes last.
    for (const other of this.#others.values()) await (await other).executable.dispose();
    await this.#first.executable.dispose();
  }

  /** Prompts that are read together: of similar length, so that little is padding, and none so far on that padding falls beyond its buffers. */
  #prompts(given: readonly RowTokens[]): Prompt[][] {
    const prompts = given
      .filter(({ tokens }) => tokens.length > 1)
      .map(({ row, tokens }) => ({ row, tokens: Array.from(tokens).slice(0, this.longestChunk) }))
      .sort((one, other) => other.tokens.length - one.tokens.length);
    const groups: Prompt[][] = [];
    for (const prompt of prompts) {
      const group = groups.at(-1);
      const longest = group?.[0]?.tokens.length ?? Number.POSITIVE_INFINITY;
      const isSimilar = isOpenFor(this.#options) && prompt.tokens.length * 4 >= longest * 3;
      if (isSimilar && this.heldBy(prompt.row) + longest <= this.maxLength) group?.push(prompt);
      else groups.push([prompt]);
    }
    return groups;
  }

  /** Extent of the next piece of prompts. Padding may not reach beyond the buffers, where it would fall on the last position. */
  #sizeFor([first]: readonly Prompt[], wanted: number): number {
    if (isOpenFor(this.#options)) return wanted;
    const room = this.maxLength - this.heldBy((first as Prompt).row);
    const fitting = chunkSizes.filter((size) => size <= room);
    return fitting.find((size) => size >= wanted) ?? fitting.at(-1) ?? 1;
  }

  async #take(given: readonly RowTokens[], size: number, results: Map<number, Float32Array>): Promise<void> {
    const isForAll = size === 1 && this.#hasStep && !this.#isWorthChoosing(given.length);
    const { executable, inputs } = await (isForAll ? this.#step() : this.#chosenRows(given.length, size));
    const places = isForAll ? Array.from({ length: this.batch }, (_, row) => row) : given.map(({ row }) => row);
    const byRow = new Map(given.map((one) => [one.row, one.tokens]));
    const counts = places.map((row) => Math.min(byRow.get(row)?.length ?? 0, size));
    const whole = (values: readonly number[]): Tensor =>
      new Tensor('int64', [places.length], BigInt64Array.from(values, BigInt));
    const { logits } = await executable.run({
      [inputs.tokens.name]: idsOf(inputs, { places, byRow, size }),
      [inputs.lengths.name]: whole(counts),
      [inputs.position.name]: whole(places.map((row) => this.heldBy(row))),
      ...(inputs.rows === undefined ? {} : { [inputs.rows.name]: whole(places) }),
    });
    const scores = (logits as Tensor).data as Float32Array;
    for (const [place, row] of places.entries()) {
      if (counts[place] === 0) continue;
      this.#held[row] = this.heldBy(row) + (counts[place] as number);
      results.set(row, scores.slice(place * this.vocabularySize, (place + 1) * this.vocabularySize));
    }
  }

  /** Rows that stand still cost as much as those that go on; to choose rows costs a copy of what they hold. */
  #isWorthChoosing(count: number): boolean {
    return isOpenFor(this.#options) && count * 2 <= this.batch;
  }

  /** One token of every row. */
  async #step(): Promise<Compiled> {
    return isOpenFor(this.#options) ? this.#other('step', { positions: 'given' }) : this.#first;
  }

  async #chosenRows(rows: number, chunk: number): Promise<Compiled> {
    return isOpenFor(this.#options) ? this.#first : this.#other(`${rows} ${chunk}`, { rows, chunk });
  }

  #other(key: string, differing: DecodingOptions): Promise<Compiled> {
    const known = this.#others.get(key) ?? this.#compile(differing);
    this.#others.set(key, known);
    // A program that cannot be compiled is tried again when it is wanted again.
    known.catch(() => this.#others.delete(key));
    return known;
  }

  async #compile(differing: DecodingOptions): Promise<Compiled> {
    const model = this.#model as Model;
    const program = decodingProgram(model, { ...this.#options, ...differing });
    const executable = await this.#options.backend.compile(program, {
      name: `${model.name} decoding`,
      shareState: this.#first.executable,
    });
    return { executable, inputs: decodingInputs(program) };
  }
}

const open: DecodingOptions = { rows: 'rows', chunk: 'time' };

function bytesOf(tensors: Iterable<Tensor>): number {
  let sum = 0;
  for (const { data } of tensors) sum += Array.isArray(data) ? 0 : (data as Float32Array).byteLength;
  return sum;
}

/** Whether one program serves any number of rows and tokens. */
function isOpenFor({ backend }: RowSessionOptions): boolean {
  return backend.capabilities.symbolicShapes;
}

/** `[places, size]`: the tokens of each place, and padding. */
function idsOf(
  { tokens: { dtype } }: DecodingInputs,
  given: {
    readonly places: readonly number[];
    readonly byRow: ReadonlyMap<number, ArrayLike<number>>;
    readonly size: number;
  },
): Tensor {
  const { places, byRow, size } = given;
  const ids = new Int32Array(places.length * size);
  for (const [place, row] of places.entries()) ids.set(Array.from(byRow.get(row) ?? []).slice(0, size), place * size);
  return new Tensor(dtype, [places.length, size], dtype === 'int64' ? BigInt64Array.from(ids, BigInt) : ids);
}
