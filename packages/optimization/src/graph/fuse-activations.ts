import { fullTensor, isFloat, type Node, sameShape, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { become, bypass, type Rewrite, scalarNumber, soleProducer } from './rewrite.js';

interface Bounds {
  readonly input: Value;
  readonly least: number;
  readonly most: number;
}

/** Reads `Relu`, `Clip` and `Min` and `Max` with one number as bounds. */
function boundsOf(editor: GraphEditor, node: Node | undefined): Bounds | undefined {
  const input = node?.inputs[0];
  if (node === undefined || node.domain !== '' || input === undefined || !isFloat(input.dtype)) return undefined;
  const number = (index: number, missing: number): number | undefined =>
    node.inputs[index] === undefined ? missing : scalarNumber(editor.constantOf(node.inputs[index]));
  if (node.op === 'Relu') return { input, least: 0, most: Number.POSITIVE_INFINITY };
  if (node.op === 'Clip') {
    const [least, most] = [number(1, Number.NEGATIVE_INFINITY), number(2, Number.POSITIVE_INFINITY)];
    return least === undefined || most === undefined || least > most ? undefined : { input, least, most };
  }
  return extremeBounds(editor, node);
}

function extremeBounds(editor: GraphEditor, node: Node): Bounds | undefined {
  if ((node.op !== 'Max' && node.op !== 'Min') || node.inputs.length !== 2) return undefined;
  const at = node.inputs.findIndex((input) => editor.constantOf(input) !== undefined);
  const [input, number] = [node.inputs[1 - at], scalarNumber(editor.constantOf(node.inputs[at]))];
  if (at < 0 || input === undefined || number === undefined) return undefined;
  if (!sameShape(input.shape, (node.outputs[0] as Value).shape)) return undefined;
  return node.op === 'Max'
    ? { input, least: number, most: Number.POSITIVE_INFINITY }
    : { input, least: Number.NEGATIVE_INFINITY, most: number };
}

/** `Relu` and `Clip` one after the other, and what else bounds numbers, as one `Relu` or `Clip`. */
export const mergeBounds: Rewrite = {
  ops: ['Relu', 'Clip', 'Min', 'Max'],
  apply(node, editor) {
    const outer = boundsOf(editor, node);
    if (outer === undefined) return undefined;
    const before = editor.soleReaderOf(outer.input) === undefined ? undefined : editor.producerOf(outer.input);
    const inner = boundsOf(editor, before);
    const clamp = (bound: number): number => Math.min(Math.max(bound, outer.least), outer.most);
    const merged: Bounds =
      inner === undefined ? outer : { input: inner.input, least: clamp(inner.least), most: clamp(inner.most) };
    if (inner === undefined && (node.op === 'Relu' || (node.op === 'Clip' && !isRelu(merged)))) return undefined;
    const done = inner === undefined ? `${node.op} as Relu or Clip` : `${before?.op} and ${node.op}`;
    return bounded(editor, node, merged) ? done : undefined;
  },
};

function isRelu({ least, most }: Bounds): boolean {
  return least === 0 && most === Number.POSITIVE_INFINITY;
}

function bounded(editor: GraphEditor, node: Node, bounds: Bounds): boolean {
  const { input, least, most } = bounds;
  if (least === Number.NEGATIVE_INFINITY && most === Number.POSITIVE_INFINITY) return bypass(editor, node, input);
  if (isRelu(bounds)) {
    become(editor, node, { op: 'Relu', inputs: [input], attributes: {} });
    return true;
  }
  const constant = (bound: number, name: string): Value | undefined =>
    Number.isFinite(bound) ? editor.addConstant(`${node.name}/${name}`, fullTensor(input.dtype, [], bound)) : undefined;
  const inputs = [input, constant(least, 'min'), constant(most, 'max')];
  become(editor, node, { op: 'Clip', inputs: inputs[2] === undefined ? inputs.slice(0, 2) : inputs, attributes: {} });
  return true;
}

/** `clip(x + 3, 0, 6) / 6`, with its `x`. */
function hardSigmoidOf(editor: GraphEditor, value: Value | undefined): Value | undefined {
  const scaled = value === undefined ? undefined : editor.producerOf(value);
  if (value === undefined || scaled === undefined || scaled.domain !== '' || editor.soleReaderOf(value) === undefined)
    return undefined;
  if (scaled.op === 'HardSigmoid') {
    const { alpha = 0.2, beta = 0.5 } = scaled.attributes as { alpha?: number; beta?: number };
    return isNear(alpha, 1 / 6) && beta === 0.5 ? scaled.inputs[0] : undefined;
  }
  return isSixth(editor, scaled) ? shiftedClip(editor, scaled.inputs[0]) : undefined;
}

/** The `x` of `clip(x + 3, 0, 6)`. */
function shiftedClip(editor: GraphEditor, value: Value | undefined): Value | undefined {
  const clip = soleProducer(editor, value, 'Clip');
  const bounds = boundsOf(editor, clip);
  const sum = bounds?.least === 0 && bounds.most === 6 ? soleProducer(editor, bounds.input, 'Add') : undefined;
  const at = sum?.inputs.findIndex((input) => scalarNumber(editor.constantOf(input)) === 3) ?? -1;
  return at < 0 ? undefined : sum?.inputs[1 - at];
}

function isSixth(editor: GraphEditor, { op, inputs }: Node): boolean {
  const number = scalarNumber(editor.constantOf(inputs[1]));
  return number !== undefined && (op === 'Div' ? number === 6 : op === 'Mul' && isNear(number, 1 / 6));
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) < 1e-5 * Math.abs(b);
}

/** `x · clip(x + 3, 0, 6) / 6`, as older exporters write it. */
export const fuseHardSwish: Rewrite = {
  ops: ['Mul', 'Div'],
  apply(node, editor) {
    const product = isSixth(editor, node)
      ? soleProducer(editor, node.inputs[0], 'Mul')
      : node.op === 'Mul'
        ? node
        : undefined;
    if (product === undefined) return undefined;
    for (const at of [0, 1]) {
      const [x, gate] = [product.inputs[1 - at], product.inputs[at]];
      const found = product === node ? hardSigmoidOf(editor, gate) : shiftedClip(editor, gate);
      if (x === undefined || found !== x) continue;
      become(editor, node, { op: 'HardSwish', inputs: [x], attributes: {} });
      return 'HardSwish';
    }
    return undefined;
  },
};

/** The other factor of a product with a number, which it is. */
function timesNumber(
  editor: GraphEditor,
  node: Node | undefined,
): { readonly value: Value; readonly factor: number } | undefined {
  if (node === undefined || node.domain !== '' || (node.op !== 'Mul' && node.op !== 'Div')) return undefined;
  for (const at of node.op === 'Mul' ? [0, 1] : [1]) {
    const number = scalarNumber(editor.constantOf(node.inputs[at]));
    const value = node.inputs[1 - at];
    if (number !== undefined && value !== undefined) return { value, factor: node.op === 'Mul' ? number : 1 / number };
  }
  return undefined;
}

/** `erf(x / √2) + 1`, with its `x`. */
function onePlusErf(editor: GraphEditor, value: Value | undefined): Value | undefined {
  const sum = soleProducer(editor, value, 'Add');
  const at = sum?.inputs.findIndex((input) => scalarNumber(editor.constantOf(input)) === 1) ?? -1;
  const erf = at < 0 ? undefined : soleProducer(editor, sum?.inputs[1 - at], 'Erf');
  const inner = erf?.inputs[0];
  const scaled =
    inner === undefined || editor.soleReaderOf(inner) === undefined
      ? undefined
      : timesNumber(editor, editor.producerOf(inner));
  return scaled !== undefined && isNear(scaled.factor, Math.SQRT1_2) ? scaled.value : undefined;
}

/** `x · (1 + erf(x / √2)) / 2` in any order. */
export const fuseGelu: Rewrite = {
  ops: ['Mul', 'Div'],
  apply(node, editor) {
    const x = geluInput(editor, node);
    if (x === undefined) return undefined;
    become(editor, node, { op: 'Gelu', inputs: [x], attributes: { approximate: 'none' } });
    return 'Gelu';
  },
};

function geluInput(editor: GraphEditor, node: Node): Value | undefined {
  const halved = timesNumber(editor, node);
  if (halved?.factor === 0.5) {
    const product = soleProducer(editor, halved.value, 'Mul');
    return product === undefined ? undefined : gated(editor, product, (value) => value);
  }
  // x / 2 · (1 + erf) or x · ((1 + erf) / 2)
  return node.op === 'Mul' ? (gated(editor, node, half) ?? gatedByHalf(editor, node)) : undefined;

  function half(value: Value): Value | undefined {
    const times = editor.soleReaderOf(value) === undefined ? undefined : timesNumber(editor, editor.producerOf(value));
    return times?.factor === 0.5 ? times.value : undefined;
  }
}

function gated(editor: GraphEditor, { inputs }: Node, undo: (value: Value) => Value | undefined): Value | undefined {
  for (const at of [0, 1]) {
    const x = onePlusErf(editor, inputs[at]);
    const other = inputs[1 - at];
    if (x !== undefined && other !== undefined && undo(other) === x) return x;
  }
  return undefined;
}

function gatedByHalf(editor: GraphEditor, { inputs }: Node): Value | undefined {
  for (const at of [0, 1]) {
    const value = inputs[at];
    const times =
      value === undefined || editor.soleReaderOf(value) === undefined
        ? undefined
        : timesNumber(editor, editor.producerOf(value));
    if (times?.factor === 0.5 && onePlusErf(editor, times.value) === inputs[1 - at]) return inputs[1 - at];
  }
  return undefined;
}
