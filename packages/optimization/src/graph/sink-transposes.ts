import { isUnknownShape, type Node, normalizeAxis, tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import type { Rewrite } from './rewrite.js';

const reductions = [
  ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2'],
  ...['ReduceLogSum', 'ReduceLogSumExp', 'ReduceSumSquare'],
];

/** An op under a transpose, in the form that it has above it. */
interface Lifted {
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes?: Node['attributes'];
  /** How its result is transposed then. */
  readonly perm: readonly number[];
}

interface Request {
  readonly node: Node;
  readonly editor: GraphEditor;
  /** Of the transpose above: axis `i` is axis `perm[i]` before it. */
  readonly perm: readonly number[];
  readonly source: Value;
}

/**
 * Lets ops that name axes come before the transpose that they read, so that it meets its inverse behind them: padding, slices, softmax
 * and reductions between layers whose channels stand last.
 */
export const sinkTransposes: Rewrite = {
  ops: ['Pad', 'Slice', 'Softmax', 'LogSoftmax', ...reductions],
  apply(node, editor) {
    const [input] = node.inputs as readonly [Value];
    const transpose = editor.soleReaderOf(input) === undefined ? undefined : editor.producerOf(input);
    if (transpose?.op !== 'Transpose' || transpose.domain !== '' || node.outputs.length > 1) return undefined;
    const source = transpose.inputs[0] as Value;
    const perm = transpose.attributes['perm'] as readonly number[] | undefined;
    const output = node.outputs[0] as Value;
    if (perm === undefined || isUnknownShape(source.shape) || isUnknownShape(output.shape)) return undefined;
    const lifted = lift({ node, editor, perm, source });
    if (lifted === undefined) return undefined;
    swap(editor, node, lifted);
    return `Transpose behind ${node.op}`;
  },
};

function swap(editor: GraphEditor, node: Node, { inputs, attributes = node.attributes, perm }: Lifted): void {
  const output = node.outputs[0] as Value;
  const shape = output.shape.map((_, axis) => output.shape[perm.indexOf(axis)] ?? 1);
  const inner: Value = { dtype: output.dtype, shape, name: editor.claim(`${output.name}/before`) };
  editor.replace(node, [
    { ...node, inputs, attributes, outputs: [inner] },
    {
      ...{ op: 'Transpose', domain: '', name: editor.claim(`${node.name}/Transpose`) },
      ...{ inputs: [inner], outputs: [output], attributes: { perm } },
    },
  ]);
}

function lift(request: Request): Lifted | undefined {
  const { node, perm, source } = request;
  switch (node.op) {
    case 'Pad':
      return liftPad(request);
    case 'Slice':
      return liftSlice(request);
    case 'Softmax':
    case 'LogSoftmax': {
      const axis = perm[normalizeAxis((node.attributes['axis'] as number | undefined) ?? -1, perm.length)] as number;
      return { inputs: [source], attributes: { ...node.attributes, axis }, perm };
    }
    default:
      return liftReduction(request);
  }
}

function liftPad({ node, editor, perm, source }: Request): Lifted | undefined {
  const pads = editor.constantOf(node.inputs[1]);
  if (pads === undefined || node.inputs[3] !== undefined) return undefined;
  const extents = [...toNumbers(pads)];
  const moved = new Array<number>(extents.length).fill(0);
  perm.forEach((axis, at) => {
    moved[axis] = extents[at] as number;
    moved[axis + perm.length] = extents[at + perm.length] as number;
  });
  return { inputs: [source, integers(editor, node, moved), ...node.inputs.slice(2)], perm };
}

function liftSlice({ node, editor, perm, source }: Request): Lifted | undefined {
  const count = node.inputs[1]?.shape[0];
  const held = editor.constantOf(node.inputs[3]);
  if (typeof count !== 'number' || (node.inputs[3] !== undefined && held === undefined)) return undefined;
  const axes = held === undefined ? Array.from({ length: count }, (_, axis) => axis) : [...toNumbers(held)];
  const moved = axes.map((axis) => perm[normalizeAxis(axis, perm.length)] as number);
  const [, starts, ends, , steps] = node.inputs;
  const inputs = [source, starts, ends, integers(editor, node, moved), steps];
  return { inputs: steps === undefined ? inputs.slice(0, 4) : inputs, perm };
}

function liftReduction({ node, editor, perm, source }: Request): Lifted | undefined {
  const held = editor.constantOf(node.inputs[1]);
  if (held === undefined || held.elementCount === 0) return undefined;
  const axes = [...toNumbers(held)].map((axis) => perm[normalizeAxis(axis, perm.length)] as number);
  const inputs = [source, integers(editor, node, axes)];
  if (node.attributes['keepdims'] !== 0) return { inputs, perm };
  const rest = perm.filter((axis) => !axes.includes(axis));
  const order = [...rest].sort((a, b) => a - b);
  return { inputs, perm: rest.map((axis) => order.indexOf(axis)) };
}

function integers(editor: GraphEditor, node: Node, numbers: readonly number[]): Value {
  return editor.addConstant(`${node.name}/axes`, tensor([...numbers], { dtype: 'int64', shape: [numbers.length] }));
}
