import { isUnknownShape, type Node, sameShape, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { isPadded } from './passed-ops.js';
import { bypass, type Rewrite, uniformNumber } from './rewrite.js';

type Test = (node: Node, editor: GraphEditor) => boolean;

const always: Test = () => true;
const numbersOf = (tensor: Tensor | undefined): readonly number[] =>
  tensor === undefined ? [] : [...toNumbers(tensor)];
const all = (numbers: readonly number[] | undefined, wanted: number): boolean =>
  (numbers ?? []).every((number) => number === wanted);

/** Same dtype and, provably, same shape as the first input. */
const keepsType: Test = ({ inputs, outputs }) => {
  const [input, output] = [inputs[0] as Value, outputs[0] as Value];
  if (isUnknownShape(input.shape) || isUnknownShape(output.shape)) return false;
  return input.dtype === output.dtype && sameShape(input.shape, output.shape);
};

const alone: Test = ({ inputs }) => inputs.length === 1;

/** `x ∘ c` with a constant that changes nothing. */
function neutral(element: number): Test {
  return (node, editor) => keepsType(node, editor) && uniformNumber(editor.constantOf(node.inputs[1])) === element;
}

function isSmallPool({ attributes, outputs }: Node): boolean {
  const { kernel_shape: kernel, strides } = attributes as { kernel_shape?: number[]; strides?: number[] };
  return outputs.length === 1 && all(kernel ?? [0], 1) && all(strides, 1) && !isPadded(attributes);
}

/** When the first output of an op is just its first input. */
const tests: { readonly [op: string]: Test | undefined } = {
  Identity: always,
  Dropout: (node, editor) => {
    const mask = node.outputs[1];
    const training = node.inputs[2];
    if (training !== undefined && uniformNumber(editor.constantOf(training)) !== 0) return false;
    return mask === undefined || (editor.readersOf(mask).length === 0 && !editor.isOutput(mask));
  },
  Cast: keepsType,
  CastLike: keepsType,
  Reshape: keepsType,
  Flatten: keepsType,
  Squeeze: keepsType,
  Unsqueeze: keepsType,
  Expand: keepsType,
  Slice: (node, editor) =>
    keepsType(node, editor) &&
    all(numbersOf(editor.constantOf(node.inputs[4])), 1) &&
    isConstantOrLeftOut(node, editor, 4),
  Tile: (node, editor) => isHeld(node, editor, 1) && all(numbersOf(editor.constantOf(node.inputs[1])), 1),
  Pad: (node, editor) => isHeld(node, editor, 1) && all(numbersOf(editor.constantOf(node.inputs[1])), 0),
  Resize: (node, editor) =>
    keepsType(node, editor) &&
    node.inputs[1] === undefined &&
    node.attributes['coordinate_transformation_mode'] !== 'tf_crop_and_resize',
  Transpose: ({ attributes, inputs }) => {
    const perm = attributes['perm'] as readonly number[] | undefined;
    return perm === undefined ? (inputs[0]?.shape.length ?? 2) < 2 : perm.every((axis, index) => axis === index);
  },
  Concat: alone,
  Sum: alone,
  Mean: alone,
  Max: alone,
  Min: alone,
  Split: (node, editor) => node.outputs.length === 1 && keepsType(node, editor),
  MaxPool: isSmallPool,
  AveragePool: isSmallPool,
  Add: neutral(0),
  Sub: neutral(0),
  Mul: neutral(1),
  Div: neutral(1),
  Pow: neutral(1),
};

function isHeld(node: Node, editor: GraphEditor, index: number): boolean {
  return editor.constantOf(node.inputs[index]) !== undefined;
}

function isConstantOrLeftOut(node: Node, editor: GraphEditor, index: number): boolean {
  return node.inputs[index] === undefined || isHeld(node, editor, index);
}

/** Takes nodes away that give what they take. */
export const removeRedundant: Rewrite = {
  ops: Object.keys(tests),
  apply(node, editor, model) {
    const [input, second] = node.inputs;
    // A trained scale of ones may not stay ones.
    if (second !== undefined && model.originOf(second)?.trainable) return undefined;
    if (input === undefined || !tests[node.op]?.(node, editor)) return undefined;
    return bypass(editor, node, input) ? node.op : undefined;
  },
};

const neverNegative = new Set(['Relu', 'Sigmoid', 'HardSigmoid', 'Softmax', 'Softplus', 'Abs', 'Exp', 'Sqrt']);
const keepsSign = new Set([
  'MaxPool',
  'AveragePool',
  'GlobalMaxPool',
  'GlobalAveragePool',
  'Reshape',
  'Flatten',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Identity',
]);
const furthest = 8;

/** Whether no element of a value can be negative, as far as a few nodes above it tell. */
export function isNonNegative(editor: GraphEditor, value: Value, distance = 0): boolean {
  const node = editor.producerOf(value);
  if (node === undefined || node.domain !== '' || distance > furthest) return false;
  if (neverNegative.has(node.op)) return true;
  if (node.op === 'Clip') return (uniformNumber(editor.constantOf(node.inputs[1])) ?? -1) >= 0;
  const above = (input: Value | undefined): boolean =>
    input !== undefined && isNonNegative(editor, input, distance + 1);
  if (keepsSign.has(node.op)) return above(node.inputs[0]);
  return ['Add', 'Mul', 'Concat', 'Max'].includes(node.op) && node.inputs.every(above);
}

/** A `Relu` of what is not negative. */
export const removeIdleRelu: Rewrite = {
  ops: ['Relu'],
  apply(node, editor) {
    const [input] = node.inputs as readonly [Value];
    return isNonNegative(editor, input) && bypass(editor, node, input) ? 'Relu' : undefined;
  },
};
