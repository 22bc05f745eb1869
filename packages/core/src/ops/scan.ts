import type { Graph, Value, ValueType } from '../graph/graph.js';
import { allocateData } from '../tensor/dtype.js';
import { type Dimension, formatShape, type Shape, stridesOf } from '../tensor/shape.js';
import { elementCountOf, Tensor } from '../tensor/tensor.js';
import type { EvaluateContext, InferContext, OpDefinition } from './definition.js';
import { atLeast } from './rules.js';
import { scanGradient } from './scan-gradient.js';
import { bodyInputTypes, type ScanAttributes, type ScanLayout, scanLayout } from './scan-layout.js';
import { checkedAxis } from './shape-inputs.js';
import { stridedCopy, transposeTensor } from './strided-copy.js';

/**
 * Steps a body along sequences: `(state, x[t]) → (state′, y[t])`. Inputs are the initial states and the sequences; outputs the
 * final states and the `y` stacked along a new axis. The body may use values of the graph around it.
 */
export const scan: OpDefinition<ScanAttributes> = {
  inputs: atLeast(1),
  outputs: atLeast(1),
  attributes: {
    body: { kind: 'graph', required: true },
    num_scan_inputs: { kind: 'int', required: true },
    scan_input_axes: { kind: 'ints' },
    scan_input_directions: { kind: 'ints' },
    scan_output_axes: { kind: 'ints' },
    scan_output_directions: { kind: 'ints' },
  },
  infer: (context) => {
    const { body } = context.attributes;
    const layout = checkedLayout(context);
    const length = sequenceLength(context, layout);
    return body.outputs.map(({ value }, index): ValueType => {
      if (index < layout.stateCount) return stateType(context, index, value);
      const axis = layout.outputAxes[index - layout.stateCount] as number;
      return { dtype: value.dtype, shape: [...value.shape.slice(0, axis), length, ...value.shape.slice(axis)] };
    });
  },
  gradient: scanGradient,
  evaluate: runScan,
};

function checkedLayout(context: InferContext<ScanAttributes>): ScanLayout {
  const { attributes, fail, inputs } = context;
  const { body, num_scan_inputs: count } = attributes;
  if (body.inputs.length !== inputs.length || count < 1 || count > inputs.length) {
    fail(
      `has ${inputs.length} inputs, ${count} of them sequences; its body takes ${body.inputs.length}`,
      { given: inputs.length, allowed: body.inputs.length },
      'invalid-graph',
    );
  }
  const stateCount = inputs.length - count;
  if (body.outputs.length < Math.max(1, stateCount)) {
    fail(`the body has ${body.outputs.length} outputs for ${stateCount} states`, {}, 'invalid-graph');
  }
  checkVector(context, 'scan_input_axes', count);
  checkVector(context, 'scan_input_directions', count);
  checkVector(context, 'scan_output_axes', body.outputs.length - stateCount);
  checkVector(context, 'scan_output_directions', body.outputs.length - stateCount);
  const ranks = inputs.slice(stateCount).map((_, index) => context.input(stateCount + index).shape.length);
  for (const [index, rank] of ranks.entries()) checkedAxis(attributes.scan_input_axes?.[index] ?? 0, rank, fail);
  const layout = scanLayout(attributes, ranks);
  checkBodyInputs(context, layout);
  return layout;
}

function checkVector(
  context: InferContext<ScanAttributes>,
  name: 'scan_input_axes' | 'scan_input_directions' | 'scan_output_axes' | 'scan_output_directions',
  length: number,
): void {
  const given = context.attributes[name];
  if (given === undefined || given.length === length) return;
  context.fail(`'${name}' has ${given.length} entries; ${length} are needed`, { given }, 'invalid-attribute');
}

function checkBodyInputs(context: InferContext<ScanAttributes>, layout: ScanLayout): void {
  const types = bodyInputTypes(
    context.inputs.map((_, index) => context.input(index)),
    layout,
  );
  for (const [index, declared] of context.attributes.body.inputs.entries()) {
    const given = types[index] as ValueType;
    if (given.dtype !== declared.dtype || given.shape.length !== declared.shape.length) {
      context.fail(
        `input ${index} gives the body ${given.dtype} ${formatShape(given.shape)}, its input '${declared.name}' is ${declared.dtype} ${formatShape(declared.shape)}`,
        { given: given.shape, allowed: declared.shape },
        given.dtype === declared.dtype ? 'shape-mismatch' : 'dtype-mismatch',
      );
    }
  }
}

function sequenceLength(context: InferContext<ScanAttributes>, layout: ScanLayout): Dimension {
  const lengths = layout.inputAxes.map(
    (axis, index) => context.input(layout.stateCount + index).shape[axis] as Dimension,
  );
  const known = lengths.find((length) => typeof length === 'number');
  if (known !== undefined && lengths.some((length) => typeof length === 'number' && length !== known)) {
    context.fail(`sequences have different lengths: ${lengths.join(', ')}`, { given: lengths });
  }
  return known ?? (lengths[0] as Dimension);
}

function stateType(context: InferContext<ScanAttributes>, index: number, after: Value): ValueType {
  const before = context.input(index);
  const fits = before.shape.every((extent, axis) => {
    const next = after.shape[axis] as Dimension;
    return typeof extent === 'string' || typeof next === 'string' || extent === next;
  });
  if (before.dtype !== after.dtype || before.shape.length !== after.shape.length || !fits) {
    context.fail(
      `state ${index} starts as ${before.dtype} ${formatShape(before.shape)}, the body makes it ${after.dtype} ${formatShape(after.shape)}`,
      { given: after.shape, allowed: before.shape },
    );
  }
  return { dtype: before.dtype, shape: before.shape };
}

function runScan(context: EvaluateContext<ScanAttributes>): readonly Tensor[] {
  const { attributes, inputs } = context;
  const { body, num_scan_inputs: count } = attributes;
  const sequences = inputs.slice(inputs.length - count) as readonly Tensor[];
  const layout = scanLayout(
    attributes,
    sequences.map(({ rank }) => rank),
  );
  const length = sequences[0]?.shape[layout.inputAxes[0] as number] as number;
  let states = inputs.slice(0, layout.stateCount) as readonly Tensor[];
  const made: (readonly Tensor[])[] = [];
  for (let step = 0; step < length; step++) {
    const slices = sequences.map((sequence, index) => {
      const place = layout.inputReversed[index] ? length - 1 - step : step;
      return sliceAlong(sequence, layout.inputAxes[index] as number, place);
    });
    const results = context.evaluateGraph(body, [...states, ...slices]);
    states = results.slice(0, layout.stateCount);
    made.push(results.slice(layout.stateCount));
  }
  const stacked = layout.outputAxes.map((axis, index) => {
    const parts = made.map((step) => step[index] as Tensor);
    if (layout.outputReversed[index]) parts.reverse();
    return stackAlong(parts, axis, emptyLike(body, layout.stateCount + index));
  });
  return [...states, ...stacked];
}

function sliceAlong(t: Tensor, axis: number, place: number): Tensor {
  const strides = stridesOf(t.shape);
  return stridedCopy(t, {
    shape: t.shape.toSpliced(axis, 1),
    strides: strides.toSpliced(axis, 1),
    offset: place * (strides[axis] as number),
  });
}

/** A tensor of no steps: what a scan of length 0 makes. */
export function emptyLike(body: Graph, output: number): ValueType {
  const { dtype, shape } = (body.outputs[output] as { value: Value }).value;
  return { dtype, shape: shape.map((extent): number => (typeof extent === 'number' ? extent : 0)) };
}

/** Stacks equal shapes along a new axis. */
export function stackAlong(parts: readonly Tensor[], axis: number, empty: ValueType): Tensor {
  const first = parts[0] ?? { dtype: empty.dtype, shape: empty.shape as readonly number[] };
  const shape: Shape = [parts.length, ...first.shape];
  const data = allocateData(first.dtype, elementCountOf(shape as readonly number[]));
  const target = data as unknown as unknown[];
  let at = 0;
  for (const part of parts) for (let index = 0; index < part.elementCount; index++) target[at++] = part.data[index];
  const stacked = new Tensor(first.dtype, shape as readonly number[], data);
  if (axis === 0) return stacked;
  const rest = Array.from({ length: first.shape.length }, (_, index) => index + 1);
  return transposeTensor(stacked, rest.toSpliced(axis, 0, 0));
}
