import { type Node, reshapeTensor, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { become, type Rewrite, soleProducer } from './rewrite.js';
import type { WorkingModel } from './working-model.js';

/** `A · B + c` of matrices as one `Gemm`. */
export const fuseMatMulAdd: Rewrite = {
  ops: ['Add'],
  apply(node, editor, model) {
    for (const at of [0, 1]) {
      const product = soleProducer(editor, node.inputs[at], 'MatMul');
      const [a, b] = (product?.inputs ?? []) as readonly (Value | undefined)[];
      const bias = biasFor(editor, model, node.inputs[1 - at], b?.shape[1]);
      if (a?.shape.length !== 2 || b?.shape.length !== 2 || bias === undefined) continue;
      if (editor.constantOf(b) === undefined) continue;
      become(editor, node, {
        op: 'Gemm',
        inputs: [a, b, bias],
        attributes: { alpha: 1, beta: 1, transA: 0, transB: 0 },
      });
      return 'MatMul and Add as Gemm';
    }
    return undefined;
  },
};

/** A constant row, as a vector. */
function biasFor(
  editor: GraphEditor,
  model: WorkingModel,
  value: Value | undefined,
  columns: unknown,
): Value | undefined {
  const tensor = editor.constantOf(value);
  if (value === undefined || tensor === undefined || tensor.elementCount !== columns || tensor.shape.at(-1) !== columns)
    return undefined;
  return tensor.rank === 1 ? value : model.derive(editor, value, reshapeTensor(tensor, [tensor.elementCount]));
}

/** A transposed factor of a `Gemm` as its attribute. */
export const fuseTransposeIntoGemm: Rewrite = {
  ops: ['Gemm'],
  apply(node, editor) {
    for (const [at, attribute] of [
      [0, 'transA'],
      [1, 'transB'],
    ] as const) {
      const input = node.inputs[at] as Value;
      const transpose = editor.producerOf(input);
      if (transpose?.op !== 'Transpose' || transpose.domain !== '') continue;
      if ((transpose.attributes['perm'] as readonly number[] | undefined)?.[0] === 0) continue;
      const inputs = node.inputs.map((each, index) => (index === at ? transpose.inputs[0] : each));
      const flipped = node.attributes[attribute] === 1 ? 0 : 1;
      editor.update(node, { inputs, attributes: { ...node.attributes, [attribute]: flipped } });
      return 'Transpose into Gemm';
    }
    return undefined;
  },
};

/** The mean over all of an image as the op that runtimes have for it. */
export const fuseGlobalPooling: Rewrite = {
  ops: ['ReduceMean', 'ReduceMax'],
  apply(node, editor) {
    const input = node.inputs[0] as Value;
    const axes = editor.constantOf(node.inputs[1]);
    if (axes === undefined || !isSpatial(axes, input.shape.length)) return undefined;
    if (input.shape.length !== 4 || input.dtype !== 'float32') return undefined;
    const op = node.op === 'ReduceMean' ? 'GlobalAveragePool' : 'GlobalMaxPool';
    if (node.attributes['keepdims'] === 0) flattened(editor, node, op);
    else become(editor, node, { op, inputs: [input], attributes: {} });
    return `${node.op} as ${op}`;
  },
};

function flattened(editor: GraphEditor, node: Node, op: string): void {
  const output = node.outputs[0] as Value;
  const pooled: Value = { ...output, shape: [...output.shape, 1, 1], name: editor.claim(`${output.name}/pooled`) };
  const common = { domain: '', name: editor.claim(`${node.name}/${op}`) };
  editor.replace(node, [
    { ...common, op, inputs: node.inputs.slice(0, 1), outputs: [pooled], attributes: {} },
    { ...common, op: 'Flatten', name: node.name, inputs: [pooled], outputs: [output], attributes: { axis: 1 } },
  ]);
}

function isSpatial(axes: Tensor, rank: number): boolean {
  const found = new Set([...toNumbers(axes)].map((axis) => (axis < 0 ? axis + rank : axis)));
  return found.size === rank - 2 && [...found].every((axis) => axis >= 2);
}

/** Ops whose further outputs are optional: how many there are at least. */
const optionalOutputs: { readonly [op: string]: number | undefined } = {
  MaxPool: 1,
  Dropout: 1,
  BatchNormalization: 1,
  LayerNormalization: 1,
  Attention: 1,
  LSTM: 1,
  GRU: 1,
  RNN: 1,
};

/** Outputs that nobody reads are not asked for. */
export const trimOutputs: Rewrite = {
  ops: Object.keys(optionalOutputs),
  apply(node: Node, editor) {
    const least = optionalOutputs[node.op] as number;
    let length = node.outputs.length;
    const isIdle = (value: Value): boolean => editor.readersOf(value).length === 0 && !editor.isOutput(value);
    while (length > least && isIdle(node.outputs[length - 1] as Value)) length--;
    if (length === node.outputs.length || (node.op === 'BatchNormalization' && node.attributes['training_mode'] === 1))
      return undefined;
    editor.update(node, { outputs: node.outputs.slice(0, length) });
    return `outputs of ${node.op}`;
  },
};
