import { type Graph, isFloat, type Model, ModelwrightError, type Value } from '@modelwright/core';
import type { EmbeddingOutput, GenerationOutput, ImageInput, LabelsOutput, TextInput } from './processing.js';

/**
 * How a picture becomes a model's input, as far as the input's shape says: `[batch, height, width, channels]`,
 * `[batch, channels, height, width]`, `[batch, height, width]`, or a square in a row `[batch, 784]`.
 *
 * @throws {@link ModelwrightError} `unsupported-shape` if the shape holds no picture of a known size.
 */
export function imageInputFor(input: Value, further: Partial<ImageInput> = {}): ImageInput {
  const { shape } = input;
  const [first, second, third] = shape.slice(1).map((extent) => (typeof extent === 'number' ? extent : Number.NaN));
  const isChannels = (extent: number | undefined): extent is 1 | 3 => extent === 1 || extent === 3;
  const made = (height: number, width: number, channels: 1 | 3, layout: ImageInput['layout']): ImageInput => ({
    kind: 'image',
    width: further.width ?? width,
    height: further.height ?? height,
    channels,
    layout,
    ...further,
  });
  if (shape.length === 4 && isChannels(third)) return checked(input, made(first!, second!, third, 'channelsLast'));
  if (shape.length === 4 && isChannels(first)) return checked(input, made(second!, third!, first, 'channelsFirst'));
  if (shape.length === 3) return checked(input, made(first!, second!, 1, 'channelsLast'));
  const side = Math.sqrt(first ?? Number.NaN);
  if (shape.length === 2 && Number.isInteger(side)) return made(side, side, 1, 'channelsLast');
  throw noPicture(input);
}

function checked(input: Value, spec: ImageInput): ImageInput {
  if (spec.width > 0 && spec.height > 0) return spec;
  throw noPicture(input);
}

function noPicture({ name, shape }: Value): ModelwrightError {
  return new ModelwrightError(
    'unsupported-shape',
    `input '${name}' of shape [${shape}] does not say which pictures it takes`,
    {
      input: name,
      hint: 'write its processing in a file',
    },
  );
}

/** The input that texts go into: the one of token ids. */
export function textInputFor(model: Model, further: Omit<TextInput, 'kind'>): { readonly [input: string]: TextInput } {
  const integers = model.graph.inputs.filter(
    ({ dtype, shape }) => !isFloat(dtype) && dtype !== 'string' && shape.length >= 1,
  );
  const ids = integers.find(({ name }) => /ids|token/i.test(name)) ?? integers[0] ?? model.graph.inputs[0];
  if (ids === undefined) throw new ModelwrightError('invalid-argument', `model '${model.name}' has no input`);
  const mask = model.graph.inputs.find(({ name }) => name !== ids.name && /mask/i.test(name));
  return { [ids.name]: { kind: 'text', ...(mask === undefined ? {} : { mask: mask.name }), ...further } };
}

/** Labels for a model's only output; whether its scores are probabilities already is read off the graph. */
export function labelsOutputFor(
  model: Model,
  labels: readonly string[],
  further: Partial<LabelsOutput> = {},
): { readonly [output: string]: LabelsOutput } {
  const output = onlyOutput(model);
  const width = model.graph.outputs.find(({ name }) => name === output)?.value.shape.at(-1);
  if (typeof width === 'number' && width !== labels.length && !(width === 1 && labels.length === 2)) {
    throw new ModelwrightError(
      'shape-mismatch',
      `output '${output}' has ${width} scores, ${labels.length} labels are given`,
      {
        given: labels.length,
        allowed: width,
      },
    );
  }
  const activation = activationOf(model.graph, width === 1);
  return { [output]: { kind: 'labels', labels, activation, ...further } };
}

const probabilityOps = new Set(['Softmax', 'Sigmoid', 'HardSigmoid']);
const passedOn = new Set(['Identity', 'Cast', 'Reshape', 'Squeeze', 'Flatten', 'DequantizeLinear', 'QuantizeLinear']);

/** What is still to be done to the last node's values. */
function activationOf(graph: Graph, isBinary: boolean): NonNullable<LabelsOutput['activation']> {
  let value = graph.outputs[0]?.value;
  for (;;) {
    const node = graph.nodes.find(({ outputs }) => value !== undefined && outputs.includes(value));
    if (node !== undefined && probabilityOps.has(node.op)) return 'none';
    if (node === undefined || !passedOn.has(node.op)) return isBinary ? 'sigmoid' : 'softmax';
    value = node.inputs[0];
  }
}

/** A language model's only output. */
export function generationOutputFor(
  model: Model,
  further: Omit<GenerationOutput, 'kind'>,
): { readonly [output: string]: GenerationOutput } {
  return { [onlyOutput(model)]: { kind: 'generation', ...further } };
}

/** An encoder's only output. */
export function embeddingOutputFor(model: Model, normalize = true): { readonly [output: string]: EmbeddingOutput } {
  return { [onlyOutput(model)]: { kind: 'embedding', normalize } };
}

function onlyOutput({ name, graph }: Model): string {
  const [first, ...others] = graph.outputs;
  if (first !== undefined && others.length === 0) return first.name;
  throw new ModelwrightError(
    'invalid-argument',
    `model '${name}' has ${graph.outputs.length} outputs: write its processing in a file`,
    {
      allowed: graph.outputs.map((output) => output.name),
    },
  );
}
