import type { Node, Value } from '@modelwright/core';
import { absorbDownwards } from './absorb-downwards.js';
import { absorbUpwards } from './absorb-upwards.js';
import { type AffineNode, affineOf } from './affine-node.js';
import type { GraphEditor } from './graph-editor.js';
import { combineSpreads, type Spread } from './spread.js';
import { type MadeWeights, WeightEdits } from './weight-edits.js';
import type { WorkingModel } from './working-model.js';

export interface FoldAffineOptions {
  /** Which multiplications and additions to fold, by their outputs. Default all. */
  readonly selects?: (output: Value) => boolean;
  /** Whether a large weight may be copied that other nodes read as it is. Default false: the model would grow. */
  readonly copies?: boolean;
  /** Whether an added parameter becomes the bias of a node that has none, under its own name. Default true. */
  readonly keepsNames?: boolean;
}

/**
 * Folds multiplications by and additions of constants into the weights of convolutions and dense layers, those before them or else
 * those after. What cannot be folded stays.
 *
 * @returns how many went into nodes before and after them.
 */
export function foldAffine(
  model: WorkingModel,
  options: FoldAffineOptions = {},
): { readonly upwards: number; readonly downwards: number } {
  const { selects = () => true, copies = false, keepsNames = true } = options;
  const made: MadeWeights = new Map();
  const counts = { upwards: 0, downwards: 0 };
  model.edit((editor) => {
    const weights = new WeightEdits(model, editor, { made, copies });
    const outputs = (): readonly Value[] =>
      editor.nodes.flatMap((node) => (isAffineOp(node) ? node.outputs.filter(selects) : []));
    for (const output of outputs()) if (rise(weights, output, keepsNames)) counts.upwards++;
    // The last first: an addition takes the multiplication before it along.
    for (const output of [...outputs()].reverse()) if (sink(weights, output)) counts.downwards++;
  });
  return counts;
}

function isAffineOp({ op, domain }: Node): boolean {
  return domain === '' && ['Mul', 'Div', 'Add', 'Sub'].includes(op);
}

function rise(weights: WeightEdits, output: Value, keepsNames: boolean): boolean {
  const { editor } = weights;
  const found = affineOf(editor, editor.producerOf(output));
  if (found === undefined || scalesScores(editor, found)) return false;
  const isNamed = keepsNames && weights.model.originOf(found.constant) !== undefined;
  const from = isNamed ? { from: found.constant } : {};
  const edits = absorbUpwards(found.input, { weights, kind: found.kind, spread: found.spread, ...from });
  if (edits === undefined) return false;
  for (const edit of edits) edit();
  editor.bypass(editor.producerOf(output) as Node, found.input);
  return true;
}

function sink(weights: WeightEdits, output: Value): boolean {
  const { editor } = weights;
  const last = affineOf(editor, editor.producerOf(output));
  if (last === undefined || scalesScores(editor, last) || isBias(editor, last)) return false;
  const neutral = (element: number): Spread => ({
    shape: new Array<number>(output.shape.length).fill(1),
    data: Float64Array.of(element),
  });
  const before = last.kind === 'Add' ? scalingBefore(editor, last) : undefined;
  const scale = last.kind === 'Mul' ? last.spread : (before?.spread ?? neutral(1));
  const shift = last.kind === 'Add' ? last.spread : neutral(0);
  const edits = absorbDownwards(output, { weights, scale, shift });
  if (edits === undefined) return before !== undefined && sinkScale(weights, { shift: last, scale: before });
  for (const edit of edits) edit();
  editor.bypass(editor.producerOf(output) as Node, last.input);
  if (before !== undefined) editor.bypass(editor.producerOf(before.output) as Node, before.input);
  return true;
}

/** `x · s + t = (x + t / s) · s`: a convolution that pads takes the multiplication, which then stands last. */
function sinkScale(
  weights: WeightEdits,
  { scale, shift }: { readonly scale: AffineNode; readonly shift: AffineNode },
): boolean {
  const { editor } = weights;
  const ratio = combineSpreads(shift.spread, scale.spread, (t, s) => t / s);
  if (ratio === undefined || !ratio.data.every((element) => Math.abs(element) < largestRatio)) return false;
  const none: Spread = { shape: scale.spread.shape.map(() => 1), data: Float64Array.of(0) };
  const edits = absorbDownwards(shift.output, { weights, scale: scale.spread, shift: none });
  if (edits === undefined) return false;
  for (const edit of edits) edit();
  const at = shift.node.inputs.indexOf(shift.constant);
  const change = combineSpreads(ratio, shift.spread, (a, b) => a - b) as Spread;
  weights.setInput(shift.output, at, weights.shifted(shift.constant, shift.asWritten(change)));
  editor.bypass(editor.producerOf(scale.output) as Node, scale.input);
  return true;
}

const largestRatio = 1e6;

/** The multiplication that only this addition reads. */
function scalingBefore(editor: GraphEditor, { input }: AffineNode): AffineNode | undefined {
  const before = affineOf(editor, editor.producerOf(input));
  return before?.kind === 'Mul' && editor.soleReaderOf(input) !== undefined ? before : undefined;
}

// Runtimes know `MatMul` and the `Add` behind it as one.
function isBias(editor: GraphEditor, { kind, input }: AffineNode): boolean {
  const producer = editor.producerOf(input);
  return kind === 'Add' && producer?.op === 'MatMul' && editor.constantOf(producer.inputs[1]) !== undefined;
}

// Attention scales its scores or its queries by one number: runtimes look for that pattern.
function scalesScores(editor: GraphEditor, { kind, output, spread }: AffineNode): boolean {
  if (kind !== 'Mul' || spread.data.length > 1) return false;
  return editor
    .readersOf(output)
    .some(({ op, inputs }) => op === 'MatMul' && inputs.every((input) => editor.constantOf(input) === undefined));
}
