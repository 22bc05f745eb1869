import { type Backend, type CancelSignal, inferenceProgram, Model, ModelwrightError } from '@modelwright/core';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { decodingProgram } from './decoding-program.js';
import { DecodingSession } from './decoding-session.js';
import { type GenerationRules, generateRows } from './generate-rows.js';
import type { GeneratedText, GeneratedToken } from './generated-token.js';
import { contextLengthOf } from './position-flow.js';
import { createSampler, type SamplingOptions } from './sampling.js';
import { TextStream } from './text-stream.js';

/** Token ids of one text. */
export type TokenIds = ArrayLike<number>;

/** How much is generated, and how. */
export interface GenerateOptions extends SamplingOptions {
  /** Tokens a row gets at most. Default 256. */
  readonly maxTokens?: number;
  /** Tokens, or sequences of tokens, that end a row; they are given as its last. */
  readonly stop?: readonly (number | readonly number[])[];
  /**
   * What happens when a row has reached the generator's `maxLength`. `stop`, the default, ends it. `slide` lets it go on from
   * its newest `maxLength / 2` tokens, at positions from 0; what came before is forgotten.
   */
  readonly overflow?: 'stop' | 'slide';
  /** Ends the generation with an `aborted` error. */
  readonly signal?: CancelSignal;
}

/** As {@link GenerateOptions}, for text. */
export interface GenerateTextOptions extends Omit<GenerateOptions, 'stop'> {
  /** Turns the prompt into tokens and tokens into text. Default: the generator's. */
  readonly tokenizer?: Tokenizer;
  /** Texts, or token ids, that end a row; they are left out of its text. */
  readonly stop?: readonly (string | number)[];
}

/** What a generator stands on. */
export interface GeneratorOptions {
  readonly backend: Backend;
  /** Tokens a row may hold, its prompt counted. Default: as many positions as the model has. */
  readonly maxLength?: number;
  /** Which output of the model holds the logits `[batch, time, vocabulary]`. Default: the first. */
  readonly output?: string;
  /** For text. */
  readonly tokenizer?: Tokenizer;
}

/** A causal language model compiled to continue texts. */
export interface TextGenerator {
  readonly model: Model;
  readonly backend: Backend;
  /** Tokens a row may hold, its prompt counted. */
  readonly maxLength: number;
  /**
   * Continues token ids: one text, or a batch whose rows may have different lengths; each row gets what it would get alone.
   * Rows take turns: one token of each that goes on, then the next of each.
   *
   * @throws {@link ModelwrightError} `invalid-argument` for an empty prompt, a token the vocabulary lacks, or a prompt longer than
   *   `maxLength` (unless it may slide); `aborted`.
   */
  generate(prompt: TokenIds | readonly TokenIds[], options?: GenerateOptions): AsyncGenerator<GeneratedToken, void>;
  /** As {@link generate}, from text to pieces of text as they become known. */
  generateText(prompt: string | readonly string[], options?: GenerateTextOptions): AsyncGenerator<GeneratedText, void>;
  /** Frees what was compiled; generations under way end with an error. */
  dispose(): Promise<void>;
}

/**
 * Makes a generator. Programs are compiled when they are first needed, for each size of batch, and kept; generations that
 * overlap in time have programs of their own. Weights are those the model has now.
 *
 * @throws {@link ModelwrightError} as {@link decodingProgram}, for models that cannot be decoded token by token.
 * @example
 * const generator = await createGenerator(model, { backend, tokenizer });
 * for await (const { text } of generator.generateText('Once upon', { maxTokens: 100, temperature: 0.8 })) write(text);
 */
export async function createGenerator(model: Model, options: GeneratorOptions): Promise<TextGenerator> {
  // A snapshot: weights that are set later must not come into programs that are compiled later.
  const { name, graph, parameters, states } = model;
  const frozen = new Model({ name, graph, parameters, states });
  decodingProgram(frozen, options);
  return new CachingGenerator(model, frozen, options);
}

/**
 * Continues one text or a batch of them, in one call. For several calls, {@link createGenerator} compiles once.
 *
 * @example
 * for await (const { token } of generate(model, [1, 2, 3], { backend, maxTokens: 20, temperature: 0 })) tokens.push(token);
 */
export async function* generate(
  model: Model,
  prompt: TokenIds | readonly TokenIds[],
  options: GenerateOptions & GeneratorOptions,
): AsyncGenerator<GeneratedToken, void> {
  const generator = await createGenerator(model, options);
  try {
    yield* generator.generate(prompt, options);
  } finally {
    await generator.dispose();
  }
}

/** As {@link generate}, from text to pieces of text. */
export async function* generateText(
  model: Model,
  prompt: string | readonly string[],
  options: GenerateTextOptions & GeneratorOptions,
): AsyncGenerator<GeneratedText, void> {
  const generator = await createGenerator(model, options);
  try {
    yield* generator.generateText(prompt, options);
  } finally {
    await generator.dispose();
  }
}

class CachingGenerator implements TextGenerator {
  readonly model: Model;
  readonly backend: Backend;
  readonly maxLength: number;
  readonly #frozen: Model;
  readonly #options: GeneratorOptions;
  readonly #vocabularySize: number;
  readonly #idle: DecodingSession[] = [];
  readonly #all = new Set<DecodingSession>();
  #isDisposed = false;

  constructor(model: Model, frozen: Model, options: GeneratorOptions) {
    this.model = model;
    this.backend = options.backend;
    this.#frozen = frozen;
    this.#options = options;
    const { graph } = inferenceProgram(frozen);
    this.maxLength = options.maxLength ?? (contextLengthOf(graph) as number);
    const logits = graph.outputs.find(({ name }) => name === options.output) ?? graph.outputs[0];
    this.#vocabularySize = logits?.value.shape[2] as number;
  }

  generate(
    prompt: TokenIds | readonly TokenIds[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedToken, void> {
    const stops = (options.stop ?? []).map((stop) => (typeof stop === 'number' ? [stop] : stop));
    const isStop = (_: number, tokens: readonly number[]): boolean => stops.some((stop) => endsWith(tokens, stop));
    return this.#run(this.#promptsOf(prompt, options), rulesOf(options, isStop));
  }

  async *generateText(
    prompt: string | readonly string[],
    options: GenerateTextOptions = {},
  ): AsyncGenerator<GeneratedText, void> {
    const { stop = [], tokenizer = this.#options.tokenizer, ...rest } = options;
    if (tokenizer === undefined)
      throw new ModelwrightError('invalid-argument', "text needs a 'tokenizer', here or at createGenerator");
    const texts = typeof prompt === 'string' ? [prompt] : prompt;
    const prompts = texts.map((text) => tokenizer.encode(text));
    const stops = stop.filter((one) => typeof one === 'string');
    const streams = prompts.map((ids) => new TextStream(tokenizer, stops, ids));
    const isStop = (row: number, tokens: readonly number[]): boolean => {
      const token = tokens.at(-1) as number;
      return stop.includes(token) || (streams[row] as TextStream).push(token);
    };
    for await (const { row, finish } of this.#run(this.#promptsOf(prompts, rest), rulesOf(rest, isStop))) {
      const stream = streams[row] as TextStream;
      const text = finish === undefined ? stream.take() : stream.end(finish === 'stop');
      if (text !== '' || finish !== undefined) yield { row, text, ...(finish === undefined ? {} : { finish }) };
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    const sessions = [...this.#all];
    this.#all.clear();
    await Promise.all(sessions.map((session) => session.dispose()));
  }

  async *#run(
    prompts: readonly (readonly number[])[],
    rules: GenerationRules,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    const session = await this.#borrow(prompts.length);
    try {
      yield* generateRows(session, prompts, rules);
    } finally {
      this.#idle.push(session);
    }
  }

  async #borrow(batch: number): Promise<DecodingSession> {
    if (this.#isDisposed)
      throw new ModelwrightError('resource-disposed', `the generator of model '${this.model.name}' was disposed`);
    const found = this.#idle.findIndex((session) => session.batch === batch);
    const [idle] = found < 0 ? [] : this.#idle.splice(found, 1);
    if (idle !== undefined) return idle;
    const session = await DecodingSession.open(this.#frozen, { ...this.#options, batch, maxLength: this.maxLength });
    this.#all.add(session);
    return session;
  }

  #promptsOf(prompt: TokenIds | readonly TokenIds[], { overflow }: GenerateOptions): readonly (readonly number[])[] {
    const isBatch = prompt.length > 0 && typeof prompt[0] !== 'number';
    const rows = (isBatch ? (prompt as readonly TokenIds[]) : [prompt as TokenIds]).map((row) => Array.from(row));
    for (const [index, row] of rows.entries()) {
      requireTokens(row, index, this.#vocabularySize);
      if (row.length <= this.maxLength || overflow === 'slide') continue;
      throw new ModelwrightError(
        'invalid-argument',
        `prompt ${index} has ${row.length} tokens; the generator takes ${this.maxLength} (or any number with overflow: 'slide')`,
        { given: row.length, allowed: this.maxLength },
      );
    }
    return rows;
  }
}

function requireTokens(row: readonly number[], index: number, vocabularySize: number): void {
  if (row.length === 0)
    throw new ModelwrightError('invalid-argument', `prompt ${index} is empty; it needs a token to begin with`);
  for (const token of row) {
    if (Number.isInteger(token) && token >= 0 && token < vocabularySize) continue;
    throw new ModelwrightError(
      'value-out-of-range',
      `prompt ${index} has the token ${token}; tokens are 0 … ${vocabularySize - 1}`,
      { given: token, allowed: vocabularySize },
    );
  }
}

function rulesOf(options: Omit<GenerateOptions, 'stop'>, isStop: GenerationRules['isStop']): GenerationRules {
  const { maxTokens = 256, overflow = 'stop', signal } = options;
  if (!(maxTokens >= 1))
    throw new ModelwrightError('invalid-argument', `'maxTokens' must be a number ≥ 1; ${maxTokens} was given`, {
      given: maxTokens,
    });
  return { sampler: createSampler(options), maxTokens, overflow, isStop, ...(signal === undefined ? {} : { signal }) };
}

function endsWith(tokens: readonly number[], stop: readonly number[]): boolean {
  const start = tokens.length - stop.length;
  return stop.length > 0 && start >= 0 && stop.every((token, index) => tokens[start + index] === token);
}
