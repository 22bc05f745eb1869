import { type Backend, inferenceProgram, type Model, ModelwrightError } from '@modelwright/core';
import type { GenerationOutput } from '@modelwright/deployment';
import { contextLengthOf, decodingProgram, RowSession, type Tokenizer } from '@modelwright/text';
import type { EventStream } from '../contract/events.js';
import type {
  GenerationOptions,
  GenerationPiece,
  GenerationRequest,
  GenerationService,
} from '../contract/generation.js';
import type { ModelStatistics } from '../contract/model-info.js';
import type { ModelArtifact } from '../contract/served-model.js';
import { StatisticsCounter } from '../serving/statistics.js';
import { chatTemplate } from './chat-template.js';
import { ContinuousBatcher } from './continuous-batcher.js';
import type { DecodingPlan, OpenDecoder, RowDecoder } from './row-decoder.js';
import { Sequence, type SequenceRules } from './sequence.js';

/** A generation service and what it holds. */
export interface LoadedGeneration extends GenerationService {
  /** Buffers of keys and values. */
  readonly memoryBytes: number;
  /** Rows that are decoded together at most. */
  readonly maxConcurrent: number;
  /** Texts that wait for a row. */
  readonly waitingCount: number;
  /** Texts answered and steps run since it was opened. */
  statistics(): ModelStatistics;
  /** Takes no more; what is under way may go on for at most `drainMilliseconds`. Idempotent. */
  dispose(drainMilliseconds?: number): Promise<void>;
}

/** What a generation service is made with. */
export interface GenerationServiceOptions {
  readonly backend: Backend;
  /** Told of every step. */
  readonly events?: Pick<EventStream, 'emit'>;
  /** Opens what decodes instead of `backend`: a worker, a process of its own. */
  readonly openDecoder?: OpenDecoder;
}

/** Of models whose positions have no end, and nobody said one. */
const usualLength = 2048;
/** Rows where nobody said how many, and what their buffers may take. */
const usualRows = 8;
const usualBufferBytes = 2 ** 29;
const usualQueueSize = 1024;
/** No token of a vocabulary is longer than this in the mean of a text: longer texts are refused before they are encoded. */
const mostCharactersAToken = 256;

/** Whether a model is asked for texts. */
export function generationOutputOf({
  processing,
}: Pick<ModelArtifact, 'processing'>): { readonly name: string; readonly output: GenerationOutput } | undefined {
  for (const [name, output] of Object.entries(processing?.outputs ?? {}))
    if (output.kind === 'generation') return { name, output };
  return undefined;
}

/**
 * Makes a language model ready to answer many requests at once.
 *
 * @returns undefined if the artifact's processing says nothing of generation.
 * @throws {@link ModelwrightError} `invalid-configuration` for a tokenizer that is not there or does not fit, or a chat template that cannot be
 *   read; `unsupported-op` for a model that cannot be decoded token by token.
 */
export async function createGenerationService(
  artifact: ModelArtifact,
  { backend, events, openDecoder }: GenerationServiceOptions,
): Promise<LoadedGeneration | undefined> {
  const found = generationOutputOf(artifact);
  if (found === undefined) return undefined;
  const { name: model, version, configuration } = artifact;
  const { output } = found;
  const tokenizer = tokenizerOf(artifact, output);
  const { chatTemplate: source, templateValues: values } = output;
  const render = source === undefined ? undefined : chatTemplate(model, { source, values });
  const plan = planOf(artifact, found.name);
  const { maxLength } = plan;
  const session =
    (await openDecoder?.(artifact, plan)) ?? (await RowSession.open(artifact.model, { backend, ...plan }));
  if (tokenizer.vocabularySize > session.vocabularySize) {
    await session.dispose();
    throw tooManyTokens(artifact, tokenizer, session);
  }
  const counter = new StatisticsCounter();
  const batcher = new ContinuousBatcher(session, {
    model,
    maxQueueSize: configuration.queue?.maxSize ?? usualQueueSize,
    onStep: ({ rowCount, nanoseconds }) => {
      counter.execution(rowCount, nanoseconds);
      events?.emit({ kind: 'execution', model, version, batchSize: rowCount, computeNanoseconds: nanoseconds });
    },
  });
  const maxTokens = Math.min(configuration.generation?.maxTokens ?? maxLength, maxLength);
  const rules = { tokenizer, maxLength, maxTokens, ...stopsOf(output, tokenizer) };
  return new BatchedGeneration({
    model,
    version,
    session,
    batcher,
    counter,
    rules,
    ...(render === undefined ? {} : { render }),
  });
}

interface BatchedGenerationParts {
  readonly model: string;
  readonly version: string;
  readonly counter: StatisticsCounter;
  readonly session: RowDecoder;
  readonly batcher: ContinuousBatcher;
  readonly rules: SequenceRules;
  readonly render?: GenerationService['renderChat'];
}

class BatchedGeneration implements LoadedGeneration {
  readonly maxLength: number;
  readonly maxTokens: number;
  readonly maxConcurrent: number;
  readonly memoryBytes: number;
  readonly #parts: BatchedGenerationParts;
  #closing: Promise<void> | undefined;

  constructor(parts: BatchedGenerationParts) {
    this.#parts = parts;
    this.maxLength = parts.rules.maxLength;
    this.maxTokens = parts.rules.maxTokens;
    this.maxConcurrent = parts.session.batch;
    this.memoryBytes = parts.session.memoryBytes;
  }

  get waitingCount(): number {
    return this.#parts.batcher.waitingCount;
  }

  encode(text: string): number[] {
    const most = this.maxLength * mostCharactersAToken;
    if (text.length > most)
      throw new ModelwrightError(
        'invalid-argument',
        `the text has ${text.length} characters; the model takes ${most} at most`,
        {
          given: text.length,
          allowed: most,
        },
      );
    return this.#parts.rules.tokenizer.encode(text);
  }

  decode(tokens: readonly number[]): string {
    return this.#parts.rules.tokenizer.decode(tokens);
  }

  renderChat(messages: Parameters<GenerationService['renderChat']>[0]): string {
    const { render, model } = this.#parts;
    if (render !== undefined) return render(messages);
    throw new ModelwrightError('unsupported-op', `model '${model}' has no chat template; ask it for completions`);
  }

  async *generate(request: GenerationRequest, options: GenerationOptions): AsyncGenerator<GenerationPiece> {
    const sequence = new Sequence(request, options, this.#parts.rules);
    try {
      this.#parts.batcher.add(sequence);
      let isLast = false;
      while (!isLast) {
        const piece = await sequence.pieces.take();
        isLast = piece.finishReason !== undefined;
        yield piece;
      }
      this.#count(sequence, true);
    } catch (error) {
      this.#count(sequence, false);
      throw error;
    } finally {
      sequence.cancel();
    }
  }

  statistics(): ModelStatistics {
    const { model: name, version, counter } = this.#parts;
    return counter.read({ name, version, pendingCount: this.waitingCount, memoryBytes: this.memoryBytes });
  }

  dispose(drainMilliseconds = 0): Promise<void> {
    this.#closing ??= this.#parts.batcher.close(drainMilliseconds);
    return this.#closing;
  }

  #count({ times: { waited, total } }: Sequence, isWhole: boolean): void {
    const [queue, all] = [Math.round(waited * 1e6), Math.round(total * 1e6)];
    const timing = { queue, computeInput: 0, computeInfer: all - queue, computeOutput: 0 };
    if (isWhole) this.#parts.counter.success(1, timing, all);
    else this.#parts.counter.failure(all);
  }
}

function tokenizerOf({ name, tokenizers }: ModelArtifact, output: GenerationOutput): Tokenizer {
  const tokenizer = tokenizers.get(output.tokenizer);
  if (tokenizer !== undefined) return tokenizer;
  throw new ModelwrightError(
    'invalid-configuration',
    `model '${name}' generates text, but its tokenizer is not there`,
    {
      file: output.tokenizer,
      given: [...tokenizers.keys()],
    },
  );
}

function tooManyTokens(
  { name }: ModelArtifact,
  { vocabularySize: given }: Tokenizer,
  { vocabularySize: allowed }: RowDecoder,
): ModelwrightError {
  const message = `the tokenizer of model '${name}' has ${given} tokens, the model scores ${allowed}`;
  return new ModelwrightError('invalid-configuration', message, { given, allowed });
}

/** How long rows are and how many there are. */
function planOf({ model, configuration }: ModelArtifact, output: string): DecodingPlan {
  const { graph } = inferenceProgram(model);
  const maxLength = configuration.generation?.maxLength ?? contextLengthOf(graph) ?? usualLength;
  const rows = configuration.generation?.maxConcurrent;
  return { maxLength, output, batch: rows ?? rowsWithin(model, { maxLength, output }) };
}

function rowsWithin(model: Model, options: { readonly maxLength: number; readonly output: string }): number {
  const { state } = decodingProgram(model, options);
  const rowBytes = state.reduce((sum, { initial }) => sum + (initial.data as Float32Array).byteLength, 0);
  return Math.max(1, Math.min(usualRows, Math.floor(usualBufferBytes / rowBytes)));
}

/** A text that ends answers may be one token, which decoding may leave out of the text. */
function stopsOf({ stop = [] }: GenerationOutput, tokenizer: Tokenizer): Pick<SequenceRules, 'stop' | 'stopTokens'> {
  const tokens = [...stop, ...usualEnds].map((text) => tokenizer.idOf(text)).filter((id) => id !== undefined);
  return { stop, stopTokens: new Set(tokens) };
}

/** How vocabularies name the token behind the last. */
const usualEnds: readonly string[] = [
  ...[
    '<|endoftext|>',
    '</s>',
    '<eos>',
    '<|im_end|>',
    '<|end|>',
    '<|eot_id|>',
    '<|end_of_text|>',
    '<end_of_turn>',
    '[EOS]',
  ],
];
