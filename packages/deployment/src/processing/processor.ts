import { type Model, ModelwrightError, type Tensor, type TensorMap, type Value } from '@modelwright/core';
import type { Tokenizer } from '@modelwright/text';
import { embeddingsOf, labelsOf, numbersOf } from './answers.js';
import { checkProcessing } from './check-processing.js';
import type { ImageLimits } from './image-limits.js';
import { type Processing, processingKey } from './processing.js';
import { readImages } from './read-image.js';
import { readTexts } from './read-text.js';

/** Bytes of a PNG or JPEG, or a text; by input name, or the value alone where one input is read. */
export type RawExample = Uint8Array | string | Readonly<Record<string, Uint8Array | string>>;

/** One example's answer by output name: labels with scores, a vector, or plain numbers. */
export type ProcessedAnswer = Readonly<Record<string, unknown>>;

/** What stands before and behind a model, at work. */
export interface Processor {
  /** Whether every input of the model can be read from pictures and texts. */
  readonly takesRawInputs: boolean;
  /**
   * @returns the model's inputs, all examples in one batch.
   * @throws {@link ModelwrightError} `invalid-argument` naming the input that is missing or of the wrong kind, `invalid-data`,
   *   `limit-exceeded`, `unsupported-op` if the model has no processing for an input.
   */
  encode(examples: readonly RawExample[]): TensorMap;
  /** @returns one answer an example. */
  decode(outputs: TensorMap): readonly ProcessedAnswer[];
}

/** A model and what its processing needs. */
export interface ProcessedModel {
  readonly model: Model;
  /** Default what the model's metadata say. */
  readonly processing?: Processing | undefined;
  /** By the file names that `processing` has. */
  readonly tokenizers: ReadonlyMap<string, Tokenizer>;
  readonly limits?: ImageLimits;
}

/**
 * Puts processing to work.
 *
 * @example
 * const { encode, decode } = processorOf({ model, processing, tokenizers: new Map() });
 * const [answer] = decode(await predictor.predict(encode([pngBytes])));
 */
export function processorOf(processed: ProcessedModel): Processor {
  const { model, tokenizers } = processed;
  const processing = processed.processing ?? processingOf(model) ?? {};
  const specs = processing.inputs ?? {};
  const masks = new Set(Object.values(specs).map((spec) => (spec.kind === 'text' ? spec.mask : undefined)));
  const unread = model.graph.inputs.filter(({ name }) => specs[name] === undefined && !masks.has(name));
  return {
    takesRawInputs: unread.length === 0 && Object.keys(specs).length > 0,
    encode: (examples) => {
      if (examples.length === 0) throw new ModelwrightError('invalid-argument', 'no example was given');
      for (const { name } of unread) throw withoutProcessing(model, name);
      const rows = examples.map((example) => byInput(example, specs));
      return Object.assign(
        {},
        ...Object.keys(specs).map((name) => readInput({ ...processed, tokenizers, processing }, name, rows)),
      ) as TensorMap;
    },
    decode: (outputs) => decodeOutputs(outputs, processing),
  };
}

/**
 * The processing that a model's metadata hold, so that a bare `.onnx` file has it, too.
 *
 * @throws {@link ModelwrightError} `invalid-data` if the entry is no processing.
 */
export function processingOf(model: Model): Processing | undefined {
  const text = model.metadata[processingKey];
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `the processing in model '${model.name}' is not JSON`, { cause });
  }
  return checkProcessing(parsed, `model '${model.name}'`);
}

type Rows = readonly Readonly<Record<string, Uint8Array | string>>[];

function byInput(example: RawExample, specs: NonNullable<Processing['inputs']>): Rows[number] {
  if (typeof example !== 'string' && !(example instanceof Uint8Array)) return example;
  const names = Object.keys(specs);
  if (names.length === 1) return { [names[0]!]: example };
  throw new ModelwrightError('invalid-argument', `the model has several inputs: give examples by name`, {
    allowed: names,
  });
}

function readInput({ model, processing, tokenizers, limits }: ProcessedModel, name: string, rows: Rows): TensorMap {
  const spec = processing?.inputs?.[name];
  const input = model.graph.inputs.find((value) => value.name === name);
  if (spec === undefined || input === undefined)
    throw new ModelwrightError(
      'invalid-configuration',
      `processing names '${name}', which is no input of '${model.name}'`,
    );
  if (spec.kind === 'image') {
    const pictures = rows.map((row) => wanted(row[name], input, (value) => value instanceof Uint8Array, 'a picture'));
    return {
      [name]: readImages(pictures as Uint8Array[], input, { spec, ...(limits === undefined ? {} : { limits }) }),
    };
  }
  const tokenizer = tokenizers.get(spec.tokenizer);
  if (tokenizer === undefined)
    throw new ModelwrightError(
      'invalid-configuration',
      `the tokenizer '${spec.tokenizer}' of input '${name}' is missing`,
    );
  const texts = rows.map((row) => wanted(row[name], input, (value) => typeof value === 'string', 'a text'));
  return readTexts(texts as string[], input, { spec, tokenizer, inputs: model.graph.inputs });
}

function wanted(
  value: Uint8Array | string | undefined,
  { name }: Value,
  fits: (value: unknown) => boolean,
  what: string,
): Uint8Array | string {
  if (value !== undefined && fits(value)) return value;
  const given = value === undefined ? 'is missing' : `is ${typeof value === 'string' ? 'a text' : 'binary'}`;
  throw new ModelwrightError('invalid-argument', `input '${name}' ${given}; it takes ${what}`, { input: name });
}

function withoutProcessing({ name: model }: Model, name: string): ModelwrightError {
  return new ModelwrightError(
    'unsupported-op',
    `model '${model}' takes tensors only: nothing says how its input '${name}' is made of a picture or a text`,
    { input: name, hint: 'deploy it with processing' },
  );
}

function decodeOutputs(outputs: TensorMap, { outputs: specs = {} }: Processing): readonly ProcessedAnswer[] {
  const columns = Object.entries(outputs).map(
    ([name, tensor]) => [name, decodeOutput(tensor, specs[name], name)] as const,
  );
  const count = Math.max(0, ...columns.map(([, column]) => column.length));
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(columns.map(([name, column]) => [name, column[index]])),
  );
}

function decodeOutput(
  tensor: Tensor,
  spec: NonNullable<Processing['outputs']>[string] | undefined,
  name: string,
): readonly unknown[] {
  if (spec?.kind === 'labels') return labelsOf(tensor, spec, name);
  if (spec?.kind === 'embedding') return embeddingsOf(tensor, spec);
  return numbersOf(tensor);
}
