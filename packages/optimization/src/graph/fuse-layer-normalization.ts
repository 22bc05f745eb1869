import { isFloat, type Node, normalizeAxis, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { become, type Rewrite, scalarNumber } from './rewrite.js';

/** Where what is divided by its standard deviation comes from. */
interface Standardized {
  readonly input: Value;
  readonly epsilon: number;
}

/**
 * `γ · (x − mean(x)) / √(mean((x − mean(x))²) + ε) + β` over the last axis, written out as exporters for opsets below 17 do.
 *
 * @see Ba, Kiros and Hinton, arXiv:1607.06450.
 */
export const fuseLayerNormalization: Rewrite = {
  ops: ['Add'],
  apply(node, editor) {
    for (const at of [0, 1]) {
      const [beta, product] = [node.inputs[at], node.inputs[1 - at]];
      const scaled = product === undefined || !isVector(editor, beta) ? undefined : scaledOf(editor, product);
      if (scaled === undefined || scaled.length !== editor.constantOf(beta)?.elementCount) continue;
      const { input, gamma, epsilon } = scaled;
      become(editor, node, {
        op: 'LayerNormalization',
        inputs: [input, gamma, beta],
        attributes: { axis: -1, epsilon, stash_type: 1 },
      });
      return 'LayerNormalization';
    }
    return undefined;
  },
};

function isVector(editor: GraphEditor, value: Value | undefined): value is Value {
  return editor.constantOf(value)?.rank === 1;
}

function scaledOf(editor: GraphEditor, value: Value) {
  const product = editor.soleReaderOf(value) === undefined ? undefined : editor.producerOf(value);
  if (product?.op !== 'Mul' || product.domain !== '') return undefined;
  for (const at of [0, 1]) {
    const [gamma, quotient] = [product.inputs[at], product.inputs[1 - at]];
    const found = quotient === undefined || !isVector(editor, gamma) ? undefined : standardized(editor, quotient);
    const length = found?.input.shape.at(-1);
    if (found === undefined || gamma === undefined) continue;
    if (length === (editor.constantOf(gamma) as Tensor).elementCount) return { ...found, gamma, length };
  }
  return undefined;
}

function standardized(editor: GraphEditor, value: Value): Standardized | undefined {
  const quotient = editor.soleReaderOf(value) === undefined ? undefined : editor.producerOf(value);
  if (quotient?.op !== 'Div' || !isFloat(value.dtype)) return undefined;
  const [centred, deviation] = quotient.inputs as readonly [Value, Value];
  const root = madeBy(editor, deviation, 'Sqrt');
  const sum = madeBy(editor, root?.inputs[0], 'Add');
  const at = sum?.inputs.findIndex((input) => scalarNumber(editor.constantOf(input)) !== undefined) ?? -1;
  if (sum === undefined || at < 0) return undefined;
  const epsilon = scalarNumber(editor.constantOf(sum.inputs[at])) as number;
  const mean = madeBy(editor, sum.inputs[1 - at], 'ReduceMean');
  if (mean === undefined || !isOverLastAxis(editor, mean) || squareOf(editor, mean.inputs[0]) !== centred)
    return undefined;
  const input = centredOf(editor, centred);
  return input === undefined ? undefined : { input, epsilon };
}

function madeBy(editor: GraphEditor, value: Value | undefined, op: string): Node | undefined {
  const node = value === undefined ? undefined : editor.producerOf(value);
  return node?.op === op && node.domain === '' ? node : undefined;
}

/** The `x` of `x − mean(x)`. */
function centredOf(editor: GraphEditor, value: Value): Value | undefined {
  const difference = madeBy(editor, value, 'Sub');
  const mean = madeBy(editor, difference?.inputs[1], 'ReduceMean');
  const input = difference?.inputs[0];
  return mean !== undefined && isOverLastAxis(editor, mean) && mean.inputs[0] === input ? input : undefined;
}

/** The `x` of `x²`, which may be written as `x · x`. */
function squareOf(editor: GraphEditor, value: Value | undefined): Value | undefined {
  const product = madeBy(editor, value, 'Mul');
  if (product !== undefined) return product.inputs[0] === product.inputs[1] ? product.inputs[0] : undefined;
  const power = madeBy(editor, value, 'Pow');
  return scalarNumber(editor.constantOf(power?.inputs[1])) === 2 ? power?.inputs[0] : undefined;
}

function isOverLastAxis(editor: GraphEditor, { inputs, attributes }: Node): boolean {
  const axes = editor.constantOf(inputs[1]);
  const rank = inputs[0]?.shape.length ?? 0;
  if (axes === undefined || axes.elementCount !== 1 || attributes['keepdims'] === 0) return false;
  return normalizeAxis(toNumbers(axes)[0] as number, rank) === rank - 1;
}
