import {
  cancelTransposes,
  fromNumbers,
  type Model,
  type Node,
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
  foldNormalization(working);
  for (const note of working.notes) options.onNote?.(note);
  return working.finish();
}

/** @internal The same on a model that other rewrites work on, too. */
export function foldNormalization(working: WorkingModel): void {
  working.run(cancelTransposes);
  const made = new Set<string>();
  let [count, left] = [0, 0];
  working.edit((editor) => {
    for (const node of editor.nodes.filter(({ op, domain }) => op === 'BatchNormalization' && domain === '')) {
      const outputs = asAffine(working, editor, node);
      if (outputs === undefined) {
        left++;
        working.notes.push(`BatchNormalization '${node.name}' stays: its statistics are no constants`);
      } else {
        count++;
        for (const output of outputs) made.add(output.name);
      }
    }
  });
  if (count + left === 0) return;
  foldAffine(working, { selects: ({ name }) => made.has(name) });
  const remaining = working.graph.nodes.filter(({ outputs }) => outputs.some(({ name }) => made.has(name)));
  working.run(cancelTransposes);
  foldDerivedConstants(working);
  const additions = remaining.filter(({ op }) => op === 'Add').length;
  const rest = remaining.length - additions;
  working.notes.push(
    `${count} BatchNormalization folded into the weights next to them; ${rest} Mul and ${additions} Add remain of them`,
  );
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
