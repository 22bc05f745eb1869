import type { Value, ValueType } from '../graph/graph.js';
import { type Dimension, formatShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { EvaluateContext, InferContext, OpDefinition } from './definition.js';
import { contractTensors } from './einsum-contraction.js';
import { type EinsumTerms, extentsOfLabels, parseEinsum } from './einsum-equation.js';
import { einsumGradient } from './einsum-gradient.js';
import { atLeast, exactly, requireNumeric, requireSameDType } from './rules.js';

interface EinsumAttributes {
  equation: string;
}

/**
 * `Einsum`: products of operands summed over the labels that the output leaves out, as `numpy.einsum` has it: repeated
 * labels take diagonals, `...` broadcasts, extents of 1 broadcast.
 *
 * `'ij,jk->ik'` is `y[i,k] = Σ_j a[i,j]·b[j,k]`.
 */
export const einsum: OpDefinition<EinsumAttributes> = {
  inputs: atLeast(1),
  outputs: exactly(1),
  attributes: { equation: { kind: 'string', required: true } },
  infer: inferEinsum,
  gradient: einsumGradient,
  evaluate: evaluateEinsum,
};

function inferEinsum(context: InferContext<EinsumAttributes>): readonly ValueType[] {
  requireNumeric(context, 0);
  const inputs = context.inputs.map((_, index): Value => {
    requireSameDType(context, 0, index);
    return context.input(index);
  });
  const { equation } = context.attributes;
  const shapes = inputs.map(({ shape }) => shape);
  const terms = parseEinsum(
    equation,
    shapes.map(({ length }) => length),
  );
  if (typeof terms === 'string') {
    return context.fail(`equation '${equation}': ${terms}`, { given: equation }, 'invalid-attribute');
  }
  const extents = extentsOfLabels(terms, shapes);
  if (typeof extents === 'string') {
    const given = shapes.map(formatShape).join(', ');
    return context.fail(`equation '${equation}': '${extents}' has different extents in ${given}`, { given: shapes });
  }
  return [{ dtype: context.input(0).dtype, shape: terms.output.map((label) => extents.get(label) as Dimension) }];
}

function evaluateEinsum({
  input,
  inputs,
  attributes: { equation },
}: EvaluateContext<EinsumAttributes>): readonly Tensor[] {
  const operands = inputs.map((_, index) => input(index));
  const terms = parseEinsum(
    equation,
    operands.map(({ rank }) => rank),
  ) as EinsumTerms;
  return [contractTensors(terms, operands)];
}
