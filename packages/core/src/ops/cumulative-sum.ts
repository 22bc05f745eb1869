import type { ValueType } from '../graph/graph.js';
import { allocateData, isFloat } from '../tensor/dtype.js';
import { normalizeAxis } from '../tensor/shape.js';
import { castTensor, fromNumbers, Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, InferContext, OpDefinition } from './definition.js';
import { narrowIntegers } from './matrix-product.js';
import { forEachLine } from './reduction-kernels.js';
import { exactly, requireAxis, requireDType, requireNumeric, sameAsInput } from './rules.js';

interface CumSumAttributes {
  exclusive: number;
  reverse: number;
}

/**
 * `CumSum`: `y_i = Σ_{j ≤ i} x_j` along the axis in input 1 (`<` if exclusive, `≥` if reversed).
 *
 * `dx = CumSum(dy)` in the other direction.
 */
export const cumulativeSum: OpDefinition<CumSumAttributes> = {
  inputs: exactly(2),
  outputs: exactly(1),
  attributes: { exclusive: { kind: 'int', default: 0 }, reverse: { kind: 'int', default: 0 } },
  infer: inferCumSum,
  gradient: ({ builder, input, outputGradient: dy, attributes: { exclusive, reverse } }) => [
    builder.op('CumSum', [dy, input(1)], { exclusive, reverse: reverse === 0 ? 1 : 0 }),
    undefined,
  ],
  evaluate: (context) => [sumAlongAxis(context)],
};

function inferCumSum(context: InferContext<CumSumAttributes>): readonly ValueType[] {
  requireNumeric(context, 0);
  requireDType(context, 1, 'int32', 'int64');
  const axis = context.dimensions(1)?.[0];
  if (typeof axis === 'number') requireAxis(context, axis, context.input(0).shape.length);
  return sameAsInput(context);
}

function sumAlongAxis({ input, attributes }: EvaluateContext<CumSumAttributes>): Tensor {
  const x = input(0);
  const axis = normalizeAxis(toNumbers(input(1))[0] as number, x.rank, 'axis of CumSum');
  if (isFloat(x.dtype)) {
    const data = new Float64Array(x.elementCount);
    accumulate<number>({ x, axis, attributes, source: toNumbers(x), data, zero: 0, add: (a, b) => a + b });
    return fromNumbers(x.dtype, x.shape, data);
  }
  const data = allocateData('int64', x.elementCount);
  const source = castTensor(x, 'int64').data;
  accumulate<bigint>({ x, axis, attributes, source, data, zero: 0n, add: (a, b) => a + b });
  return narrowIntegers(new Tensor('int64', x.shape, data), x);
}

interface AccumulateRequest<T> {
  readonly x: Tensor;
  readonly axis: number;
  readonly attributes: CumSumAttributes;
  readonly source: { readonly [index: number]: T };
  readonly data: { [index: number]: T };
  readonly zero: T;
  readonly add: (a: T, b: T) => T;
}

function accumulate<T>({ x, axis, attributes, source, data, zero, add }: AccumulateRequest<T>): void {
  forEachLine(x.shape, axis, (base, stride, extent) => {
    let sum = zero;
    for (let i = 0; i < extent; i++) {
      const at = base + (attributes.reverse !== 0 ? extent - 1 - i : i) * stride;
      const next = add(sum, source[at] as T);
      data[at] = attributes.exclusive !== 0 ? sum : next;
      sum = next;
    }
  });
}
