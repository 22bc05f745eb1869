import type { Node, Value } from '@modelwright/core';
import { absorbDownwards } from './absorb-downwards.js';
import { absorbUpwards } from './absorb-upwards.js';
import { type AffineNode, affineOf } from './affine-node.js';
import type { GraphEditor } from './graph-editor.js';
import type { Spread } from './spread.js';
import { WeightEdits } from './weight-edits.js';
import type { WorkingModel } from './working-model.js';

/** Weights made of weights, so that what is shared stays shared. */
export type MadeWeights = Map<Value, Map<string, Value>>;

export interface FoldAffineOptions {
  /** Which multiplications and additions to fold, by their outputs. Default all. */
  readonly selects?: (output: Value) => boolean;
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
  const { selects = () => true } = options;
  const made: MadeWeights = new Map();
  const counts = { upwards: 0, downwards: 0 };
  model.edit((editor) => {
    const weights = new WeightEdits(model, editor, made);
    const outputs = (): readonly Value[] =>
      editor.nodes.flatMap((node) => (isAffineOp(node) ? node.outputs.filter(selects) : []));
    for (const output of outputs()) if (rise(weights, output)) counts.upwards++;
    // The last first: an addition takes the multiplication before it along.
    for (const output of [...outputs()].reverse()) if (sink(weights, output)) counts.downwards++;
  });
  return counts;
}

function isAffineOp({ op, domain }: Node): boolean {
  return domain === '' && ['Mul', 'Div', 'Add', 'Sub'].includes(op);
}

function rise(weights: WeightEdits, output: Value): boolean {
  const { editor } = weights;
  const found = affineOf(editor, editor.producerOf(output));
  if (found === undefined || scalesScores(editor, found)) return false;
  const edits = absorbUpwards(found.input, { weights, kind: found.kind, spread: found.spread });
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
  if (edits === undefined) return false;
  for (const edit of edits) edit();
  editor.bypass(editor.producerOf(output) as Node, last.input);
  if (before !== undefined) editor.bypass(editor.producerOf(before.output) as Node, before.input);
  return true;
}

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
