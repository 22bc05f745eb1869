import { isFloat, type Node, sameShape, type Tensor, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { fits, mapSpread, type Spread, spreadOf } from './spread.js';

/** What a node does to each element of its input, with constants: multiplies it or adds to it. */
export interface AffineNode {
  readonly node: Node;
  readonly kind: 'Mul' | 'Add';
  readonly input: Value;
  readonly output: Value;
  /** The constant among the node's inputs. */
  readonly constant: Value;
  readonly tensor: Tensor;
  readonly spread: Spread;
  /** The same in what the node's own op calls it: `x / c` is `x · (1 / c)`. Its own inverse. */
  readonly asWritten: (spread: Spread) => Spread;
}

const same = (spread: Spread): Spread => spread;
const inverted = (spread: Spread): Spread => mapSpread(spread, (element) => 1 / element);
const negated = (spread: Spread): Spread => mapSpread(spread, (element) => -element);

/** Reads `x · c`, `x / c`, `x + c` and `x − c`; undefined for any other node and where `x` itself is broadcast. */
export function affineOf(editor: GraphEditor, node: Node | undefined): AffineNode | undefined {
  if (node === undefined || node.domain !== '' || !['Mul', 'Div', 'Add', 'Sub'].includes(node.op)) return undefined;
  const [left, right] = node.inputs as readonly [Value, Value];
  const output = node.outputs[0] as Value;
  if (!isFloat(output.dtype)) return undefined;
  const commutes = node.op === 'Mul' || node.op === 'Add';
  const [input, constant] =
    editor.constantOf(right) !== undefined ? [left, right] : commutes ? [right, left] : [undefined, undefined];
  const tensor = editor.constantOf(constant);
  if (input === undefined || constant === undefined || tensor === undefined) return undefined;
  if (editor.constantOf(input) !== undefined || !sameShape(input.shape, output.shape)) return undefined;
  const asWritten = node.op === 'Div' ? inverted : node.op === 'Sub' ? negated : same;
  const spread = asWritten(spreadOf(tensor, output.shape.length));
  if (!fits(spread, output.shape) || !spread.data.every(Number.isFinite)) return undefined;
  const kind = node.op === 'Mul' || node.op === 'Div' ? 'Mul' : 'Add';
  return { node, kind, input, output, constant, tensor, spread, asWritten };
}
