import {
  cancelTransposes,
  fromNumbers,
  type Graph,
  type Model,
  type Node,
  subgraphsOf,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { foldAffine } from './fold-affine.js';
import { foldDerivedConstants } from './fold-derived-constants.js';
import type { GraphEditor } from './graph-editor.js';
import { WorkingModel } from './working-model.js';

export interface FoldBatchNormalizationOptions {
  /** Is told what was done, in words. */
  readonly onNote?: (note: string) => void;
}

/**
 * Takes `BatchNormalization` out of a model: its running statistics become part of the weights of the convolution or dense layer before
 * it, or after it where that is exact; elsewhere one multiplication and one addition stay.
 *
 * `γ · (x − μ) / √(σ² + ε) + β = x · s + t` with `s = γ / √(σ² + ε)`, `t = β − μ · s`
 *
 * Layers keep the names of their weights, and one without a bias gets one (`conv.kernel`, `conv.bias`). A weight that several nodes read is
 * copied unless all of them change it alike. The model can be trained on, without normalization.
 *
 * @returns the model without `BatchNormalization`, but for nodes whose statistics are no constants; a note names these.
 * @see Jacob et al., arXiv:1712.05877, §3.2.
 * @example
 * const folded = foldBatchNormalization(resnet({ depth: 20 }));
 */
export function foldBatchNormalization(model: Model, options: FoldBatchNormalizationOptions = {}): Model {
  const working = new WorkingModel(model);
  const done = foldNormalization(working);
  if (done !== undefined) options.onNote?.(done);
  for (const note of notesOnNormalization(working)) options.onNote?.(note);
  return working.finish();
}

/**
 * The same on a model that other rewrites work on, too.
 *
 * @param selects - Which normalization to fold. Default all.
 * @returns what was done, in words; undefined where nothing was.
 */
export function foldNormalization(
  working: WorkingModel,
  selects: (normalization: Node) => boolean = () => true,
): string | undefined {
  working.run(cancelTransposes);
  const made = new Set<string>();
  working.edit((editor) => {
    for (const node of editor.nodes.filter((each) => isNormalization(each) && selects(each))) {
      for (const output of asAffine(working, editor, node) ?? []) made.add(output.name);
    }
  });
  if (made.size === 0) return undefined;
  foldAffine(working, { selects: ({ name }) => made.has(name), copies: true, keepsNames: false });
  const remaining = allNodes(working.graph).filter(({ outputs }) => outputs.some(({ name }) => made.has(name)));
  working.run(cancelTransposes);
  foldDerivedConstants(working);
  const left = (wanted: string): number => remaining.filter(({ op }) => op === wanted).length;
  return `${made.size / 2} BatchNormalization folded, of which ${left('Mul')} Mul and ${left('Add')} Add remain`;
}

/** What to say of normalization that could not be folded. */
export function notesOnNormalization({ graph }: WorkingModel): readonly string[] {
  return allNodes(graph)
    .filter(isNormalization)
    .map(({ name }) => `BatchNormalization '${name}' stays: its statistics are no constants`);
}

function isNormalization({ op, domain }: Node): boolean {
  return op === 'BatchNormalization' && domain === '';
}

function allNodes(graph: Graph): readonly Node[] {
  return graph.nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(({ graph: body }) => allNodes(body))]);
}

/** Puts `x · s + t` in the place of a normalization. @returns the values of the two nodes. */
function asAffine(working: WorkingModel, editor: GraphEditor, node: Node): readonly Value[] | undefined {
  const [x, gamma, beta, mean, variance] = node.inputs as readonly [Value, Value, Value, Value, Value];
  const held = [gamma, beta, mean, variance].map((value) => editor.constantOf(value));
  if (held.some((tensor) => tensor === undefined) || node.attributes['training_mode'] === 1) return undefined;
  const [scale, shift] = affineOfStatistics(
    held as readonly Tensor[],
    (node.attributes['epsilon'] as number | undefined) ?? 1e-5,
  );
  const output = node.outputs[0] as Value;
  const shape = [scale.length, ...new Array<number>(Math.max(0, x.shape.length - 2)).fill(1)];
  const constant = (from: Value, data: Float64Array): Value =>
    working.derive(editor, from, fromNumbers(x.dtype as 'float32', shape, data));
  const scaled: Value = { ...output, name: editor.claim(`${output.name}/scaled`) };
  const common = { domain: '', attributes: {} };
  editor.replace(node, [
    {
      ...common,
      op: 'Mul',
      name: editor.claim(`${node.name}/Mul`),
      inputs: [x, constant(gamma, scale)],
      outputs: [scaled],
    },
    {
      ...common,
      op: 'Add',
      name: editor.claim(`${node.name}/Add`),
      inputs: [scaled, constant(beta, shift)],
      outputs: [output],
    },
  ]);
  return [scaled, output];
}

function affineOfStatistics(held: readonly Tensor[], epsilon: number): readonly [Float64Array, Float64Array] {
  const [gamma, beta, mean, variance] = held.map(toNumbers) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const scale = gamma.map((each, index) => each / Math.sqrt((variance[index] as number) + epsilon));
  const shift = beta.map((each, index) => each - (mean[index] as number) * (scale[index] as number));
  return [scale, shift];
}
