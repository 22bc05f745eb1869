import { dtypeFacts, isUnknownShape, type Node, type Shape, tensor, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { become, bypass, type Rewrite } from './rewrite.js';

const views = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'];

/**
 * What to give `Reshape` so that a value of shape `from` gets the shape `to`: 0 keeps a symbolic axis in its place, −1 stands for
 * another one. Undefined where more is symbolic or an axis is empty.
 */
export function reshapeVector(from: Shape, to: Shape): readonly number[] | undefined {
  if (isUnknownShape(from) || isUnknownShape(to) || [...from, ...to].includes(0)) return undefined;
  const vector = to.map((extent, axis) => (typeof extent === 'number' ? extent : extent === from[axis] ? 0 : -1));
  return vector.filter((extent) => extent === -1).length > 1 ? undefined : vector;
}

function becomeReshape(editor: GraphEditor, node: Node, source: Value): boolean {
  const vector = reshapeVector(source.shape, (node.outputs[0] as Value).shape);
  if (vector === undefined) return false;
  const shape = editor.addConstant(
    `${node.name}/shape`,
    tensor([...vector], { dtype: 'int64', shape: [vector.length] }),
  );
  become(editor, node, { op: 'Reshape', inputs: [source, shape], attributes: { allowzero: 0 } });
  return true;
}

/** `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze` one after the other are one `Reshape`, or nothing. */
export const mergeViews: Rewrite = {
  ops: views,
  apply(node, editor) {
    const before = editor.producerOf(node.inputs[0] as Value);
    if (before === undefined || before.domain !== '' || !views.includes(before.op)) return undefined;
    const source = before.inputs[0] as Value;
    return becomeReshape(editor, node, source) ? `${before.op} into ${node.op}` : undefined;
  },
};

/** A transpose that moves axes of extent 1 only leaves the elements in their order. */
export const transposeToReshape: Rewrite = {
  ops: ['Transpose'],
  apply(node, editor) {
    const source = node.inputs[0] as Value;
    const rank = source.shape.length;
    const perm =
      (node.attributes['perm'] as readonly number[] | undefined) ?? source.shape.map((_, axis) => rank - 1 - axis);
    const wide = perm.filter((axis) => source.shape[axis] !== 1);
    const ordered = wide.every((axis, index) => index === 0 || axis > (wide[index - 1] as number));
    // Two transposes that undo each other are found as such.
    if (isUnknownShape(source.shape) || !ordered || wide.length === rank) return undefined;
    return becomeReshape(editor, node, source) ? 'Transpose into Reshape' : undefined;
  },
};

/** A cast of a cast that lost nothing. */
export const mergeCasts: Rewrite = {
  ops: ['Cast'],
  apply(node, editor) {
    const middle = node.inputs[0] as Value;
    const before = editor.producerOf(middle);
    if (before?.op !== 'Cast' || before.domain !== '') return undefined;
    const source = before.inputs[0] as Value;
    if (!widens(source, middle)) return undefined;
    if (source.dtype === node.outputs[0]?.dtype) return bypass(editor, node, source) ? 'Cast' : undefined;
    editor.update(node, { inputs: [source] });
    return 'Cast of Cast';
  },
};

function widens({ dtype: from }: Value, { dtype: to }: Value): boolean {
  const [a, b] = [dtypeFacts[from], dtypeFacts[to]];
  if (a.kind === 'bool') return b.kind !== 'string';
  // float16 and bfloat16 hold each what the other does not.
  return a.kind === b.kind && a.bits < b.bits;
}

/** Concatenations along one axis, one within the other. */
export const mergeConcats: Rewrite = {
  ops: ['Concat'],
  apply(node, editor) {
    const { axis } = node.attributes as { axis: number };
    const isInner = (input: Value | undefined): boolean => {
      const inner = input === undefined ? undefined : editor.producerOf(input);
      if (input === undefined || inner?.op !== 'Concat' || inner.domain !== '') return false;
      return inner.attributes['axis'] === axis && editor.soleReaderOf(input) !== undefined;
    };
    if (!node.inputs.some(isInner)) return undefined;
    const inputs = node.inputs.flatMap((input) =>
      isInner(input) ? (editor.producerOf(input as Value) as Node).inputs : [input],
    );
    editor.update(node, { inputs });
    return 'Concat into Concat';
  },
};
