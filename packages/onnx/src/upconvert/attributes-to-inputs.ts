import { fromNumbers, fullTensor } from '@modelwright/core';
import type { SourceNode } from '../read/source-node.js';
import {
  type Conversion,
  firstInputs,
  forOps,
  numberAttribute,
  numbersAttribute,
  type UpConversion,
  type UpConversionContext,
  withAttribute,
  withoutAttributes,
} from './rule.js';

// Reductions, Squeeze and Unsqueeze: the list `axes` became the second input.
const axesToInput: Conversion = (node, context) => {
  const axes = numbersAttribute(node, 'axes', context);
  if (axes === undefined) return [node];
  return [{ ...withoutAttributes(node, 'axes'), inputs: [...firstInputs(node, 1), context.integers(axes)] }];
};

// Clip: bounds that were given became scalars of the input's type; those that were not are simply absent.
const clip: Conversion = (node, context) => {
  const bound = (name: string): string => scalarInput(node, name, context);
  return [{ ...withoutAttributes(node, 'min', 'max'), inputs: [...firstInputs(node, 1), bound('min'), bound('max')] }];
};

// Pad: `pads` and `value`; value 0 is the default of the new form as well.
const pad: Conversion = (node, context) => {
  const pads = numbersAttribute(node, 'pads', context) ?? context.fail("attribute 'pads' is required");
  const value = scalarInput(node, 'value', context);
  return [
    { ...withoutAttributes(node, 'pads', 'value'), inputs: [...firstInputs(node, 1), context.integers(pads), value] },
  ];
};

const slice: Conversion = (node, context) => {
  const [starts, ends] = [numbersAttribute(node, 'starts', context), numbersAttribute(node, 'ends', context)];
  if (starts === undefined || ends === undefined) return context.fail("attributes 'starts' and 'ends' are required");
  const axes = numbersAttribute(node, 'axes', context);
  const bounds = [context.integers(starts), context.integers(ends), axes === undefined ? '' : context.integers(axes)];
  return [{ ...withoutAttributes(node, 'starts', 'ends', 'axes'), inputs: [...firstInputs(node, 1), ...bounds] }];
};

const split: Conversion = (node, context) => {
  const sizes = numbersAttribute(node, 'split', context);
  if (sizes === undefined) return [node];
  return [{ ...withoutAttributes(node, 'split'), inputs: [...firstInputs(node, 1), context.integers(sizes)] }];
};

// Split into equal parts: their number was that of the outputs and has to be said since opset 18.
const splitEqually: Conversion = (node) => {
  if ((node.inputs[1] ?? '') !== '' || node.attributes['num_outputs'] !== undefined) return [node];
  return [withAttribute(node, 'num_outputs', 'int', node.outputs.length)];
};

const topK: Conversion = (node, context) => {
  const k = numberAttribute(node, 'k', context) ?? context.fail("attribute 'k' is required");
  return [{ ...withoutAttributes(node, 'k'), inputs: [...firstInputs(node, 1), context.integers([k])] }];
};

// Dropout: before opset 12 a model in the file was for inference unless `is_test` (opset 6) said otherwise.
const dropout: Conversion = (node, context) => {
  const ratio = context.constant(fullTensor('float32', [], numberAttribute(node, 'ratio', context) ?? 0.5));
  return [{ ...withoutAttributes(node, 'ratio'), inputs: [...firstInputs(node, 1), ratio] }];
};

const upsample: Conversion = (node, context) => {
  const scales = numbersAttribute(node, 'scales', context) ?? context.fail("attribute 'scales' is required");
  const input = context.constant(fromNumbers('float32', [scales.length], scales));
  return [{ ...withoutAttributes(node, 'scales'), inputs: [...firstInputs(node, 1), input] }];
};

const dft: Conversion = (node, context) => {
  const axis = context.constant(fullTensor('int64', [], numberAttribute(node, 'axis', context) ?? 1));
  return [{ ...withoutAttributes(node, 'axis'), inputs: [...firstInputs(node, 2), axis] }];
};

function scalarInput(node: SourceNode, name: string, context: UpConversionContext): string {
  const value = numberAttribute(node, name, context);
  if (value === undefined) return '';
  return context.constant(fullTensor(context.typeOf(node.inputs[0] ?? '').dtype, [], value));
}

const reductions = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map(
  (kind) => `Reduce${kind}`,
);

/** Attributes that became inputs. */
export const attributesToInputs: readonly UpConversion[] = [
  ...forOps(['Squeeze', 'Unsqueeze', 'ReduceSum'], 13, axesToInput),
  ...forOps(reductions, 18, axesToInput),
  { op: 'Clip', before: 11, convert: clip },
  { op: 'Pad', before: 11, convert: pad },
  { op: 'Slice', before: 10, convert: slice },
  { op: 'Split', before: 13, convert: split },
  { op: 'Split', before: 18, convert: splitEqually },
  { op: 'TopK', before: 10, convert: topK },
  { op: 'Dropout', before: 12, convert: dropout },
  { op: 'Upsample', before: 9, convert: upsample },
  { op: 'DFT', before: 20, convert: dft },
];
