import { type Backend, type Model, type TensorMap, toNumbers, type Value } from '@modelwright/core';
import { type CalibrationData, observe } from '../quantize/calibrate/observe.js';
import type { SquareMatrix } from './cholesky.js';
import type { UsedWeight } from './weight-uses.js';

export interface HessianRequest {
  readonly backend: Backend;
  readonly calibration: CalibrationData;
  readonly signal?: AbortSignal;
}

/**
 * `XᵀX` of what flows into the products of each weight, summed over all rows of all batches: what an error of the weight costs.
 * The backend computes it, so that only `[inputs, inputs]` numbers come back, not the activations.
 *
 * @returns by weight; lookups have none, nor have products of a transposed left side.
 * @throws {@link ModelwrightError} `invalid-argument` if there are no samples.
 */
export async function gatherHessians(
  model: Model,
  weights: readonly UsedWeight[],
  request: HessianRequest,
): Promise<ReadonlyMap<Value, SquareMatrix>> {
  const products = productsOf(weights);
  const sums = new Map<string, Float64Array>();
  await observe(model, request, {
    add: (builder, standing) =>
      Object.fromEntries(
        [...products.keys()].map((left, at) => {
          const x = standing(left);
          const rows = builder.op('Reshape', [x, builder.integers([-1, x.shape.at(-1) as number])]);
          return [`${at}`, builder.op('MatMul', [builder.op('Transpose', [rows], { perm: [1, 0] }), rows])];
        }),
      ),
    see: (seen) => addTo(sums, seen),
  });
  const hessians = new Map<Value, SquareMatrix>();
  for (const [at, met] of [...products.values()].entries()) {
    const sum = sums.get(`${at}`) as Float64Array;
    // A weight that is used twice answers for both.
    for (const weight of met) hessians.set(weight, added(hessians.get(weight), sum));
  }
  return hessians;
}

/** Left sides of products with the weights that they meet. */
function productsOf(weights: readonly UsedWeight[]): ReadonlyMap<Value, ReadonlySet<Value>> {
  const products = new Map<Value, Set<Value>>();
  for (const { value, uses } of weights) {
    for (const { node, kind } of uses) {
      const left = node.inputs[0];
      if (kind !== 'product' || left === undefined || node.attributes['transA'] === 1) continue;
      products.set(left, (products.get(left) ?? new Set()).add(value));
    }
  }
  return products;
}

function addTo(sums: Map<string, Float64Array>, seen: TensorMap): void {
  for (const [name, tensor] of Object.entries(seen)) {
    const values = toNumbers(tensor);
    const sum = sums.get(name);
    sums.set(name, sum === undefined ? values : sum.map((value, at) => value + (values[at] as number)));
  }
}

function added(known: SquareMatrix | undefined, sum: Float64Array): SquareMatrix {
  const data = known === undefined ? sum : known.data.map((value, at) => value + (sum[at] as number));
  return { order: Math.round(Math.sqrt(sum.length)), data };
}
