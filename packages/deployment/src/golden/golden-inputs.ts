import {
  type Dimension,
  fromNumbers,
  fullTensor,
  type Graph,
  isFloat,
  type Model,
  ModelwrightError,
  type Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { Processing } from '../processing/processing.js';

/** What made-up inputs need to know beside the model. */
export interface GoldenInputOptions {
  readonly processing?: Processing | undefined;
  /** Numbers for extents that the model leaves open, by symbol. */
  readonly extents?: { readonly [symbol: string]: number };
  readonly batch: number;
  readonly seed: number;
}

/** For an open extent of which nothing is said. */
const usualExtent = 8;

/**
 * Makes up inputs that a model can take: uniform numbers, ids that its embeddings have, masks with padding at the end.
 *
 * @returns inputs by name, the same for the same seed.
 */
export function goldenInputs(model: Model, options: GoldenInputOptions): TensorMap {
  const next = uniformNumbers(options.seed);
  const masks = new Set(
    Object.values(options.processing?.inputs ?? {}).map((input) => (input.kind === 'text' ? input.mask : undefined)),
  );
  return Object.fromEntries(
    model.graph.inputs.map((input) => {
      const shape = shapeFor(model, input, options);
      return [input.name, masks.has(input.name) ? maskOf(input, shape) : inputOf(model.graph, input, shape, next)];
    }),
  );
}

function shapeFor(model: Model, input: Value, { processing, extents = {}, batch }: GoldenInputOptions): number[] {
  const batchSymbol = model.graph.inputs[0]?.shape[0];
  return input.shape.map((extent: Dimension, axis) => {
    if (typeof extent === 'number') return extent;
    const said = extents[extent];
    if (said !== undefined) return said;
    if (axis === 0 || extent === batchSymbol) return batch;
    return processedExtent(input, axis, processing) ?? usualExtent;
  });
}

/** What processing says of an open extent: the sides of a picture, the length of a text. */
function processedExtent(input: Value, axis: number, processing: Processing | undefined): number | undefined {
  const said = processing?.inputs?.[input.name];
  if (said?.kind === 'text') return said.padTo ?? Math.min(usualExtent, said.maxLength ?? usualExtent);
  if (said?.kind !== 'image') return undefined;
  const { width, height, channels } = said;
  const extents = said.layout === 'channelsLast' ? [1, height, width, channels] : [1, channels, height, width];
  return input.shape.length === 4 ? extents[axis] : undefined;
}

function inputOf(graph: Graph, input: Value, shape: readonly number[], next: () => number): Tensor {
  if (input.dtype === 'string') return fullTensor('string', shape, 0);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const rows = isFloat(input.dtype) ? undefined : rowsRead(graph, input);
  const draw = (): number => {
    if (isFloat(input.dtype)) return next();
    if (rows !== undefined) return Math.floor(next() * Math.min(rows, input.dtype === 'int8' ? 128 : rows));
    return input.dtype === 'uint8' ? Math.floor(next() * 256) : Math.round(next());
  };
  return fromNumbers(input.dtype, shape, Float64Array.from({ length: count }, draw));
}

function maskOf(input: Value, shape: readonly number[]): Tensor {
  const length = shape.at(-1) ?? 1;
  const count = shape.reduce((product, extent) => product * extent, 1);
  const kept = Math.max(1, length - 2);
  return fromNumbers(
    input.dtype,
    shape,
    Float64Array.from({ length: count }, (_, index) => (index % length < kept ? 1 : 0)),
  );
}

const passedOn = new Set(['Cast', 'Reshape', 'Identity', 'Transpose', 'Unsqueeze', 'Squeeze', 'Flatten']);

/** How many rows the tables have that an input's numbers are looked up in; undefined where it is no index. */
function rowsRead(graph: Graph, input: Value): number | undefined {
  const carries = new Set<Value>([input]);
  let rows: number | undefined;
  for (const node of graph.nodes) {
    const [first, second] = node.inputs;
    if (passedOn.has(node.op) && first !== undefined && carries.has(first))
      for (const output of node.outputs) if (output !== undefined) carries.add(output);
    const isLookup = (node.op === 'Gather' || node.op === 'GatherND') && second !== undefined && carries.has(second);
    const extent = isLookup ? first?.shape[Number(node.attributes['axis'] ?? 0)] : undefined;
    if (typeof extent === 'number') rows = Math.min(rows ?? extent, extent);
  }
  return rows;
}

/** Uniform numbers in [0, 1): mulberry32. */
export function uniformNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The error where a model does not run on inputs that were made up. */
export function cannotRun(model: Model, cause: unknown): ModelwrightError {
  return new ModelwrightError(
    'invalid-model',
    `model '${model.name}' does not run on made-up inputs: ${(cause as Error).message}`,
    { cause, hint: 'give examples of its inputs, or the extents that it leaves open' },
  );
}
