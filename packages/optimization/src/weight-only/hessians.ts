import {
  type Backend,
  GraphBuilder,
  inferenceProgram,
  inlineGraph,
  type Model,
  ModelwrightError,
  type Node,
  type Program,
  removeDeadNodes,
  type TensorMap,
  toNumbers,
  type Value,
} from '@modelwright/core';
import type { SquareMatrix } from './cholesky.js';
import type { UsedWeight } from './weight-uses.js';

/** Batches of typical inputs, by input name. */
export type Calibration = Iterable<TensorMap> | AsyncIterable<TensorMap>;

export interface HessianRequest {
  readonly backend: Backend;
  readonly calibration: Calibration;
  readonly progress?: (done: number, total: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * `XᵀX` of what flows into the products of each weight, summed over all rows of all batches: what an error of the weight costs.
 * The backend computes it, so that only `[inputs, inputs]` numbers come back, not the activations.
 *
 * @returns by weight; lookups and products of other forms have none.
 */
export async function gatherHessians(
  model: Model,
  weights: readonly UsedWeight[],
  { backend, calibration, progress, signal }: HessianRequest,
): Promise<ReadonlyMap<Value, SquareMatrix>> {
  const wanted = productsOf(weights);
  if (wanted.size === 0) return new Map();
  const { graph, names, state } = withSums(model, wanted);
  const executable = await backend.compile({ graph, state }, { name: `${model.name}.hessians` });
  const sums = new Map<string, Float64Array>();
  try {
    let batches = 0;
    for await (const inputs of calibration) {
      signal?.throwIfAborted();
      for (const [name, sum] of Object.entries(await executable.run(inputs))) addTo(sums, name, toNumbers(sum));
      batches++;
      progress?.(batches, batches, 'calibration');
    }
    if (batches > 0) return collect(wanted, names, sums);
  } finally {
    await executable.dispose();
  }
  throw new ModelwrightError('invalid-data', 'GPTQ needs samples: the calibration data hold no batch');
}

/** Left sides of products by the name of the value, with the weights that they meet. */
type Products = ReadonlyMap<string, { readonly nodes: readonly Node[]; readonly weights: readonly UsedWeight[] }>;

function productsOf(weights: readonly UsedWeight[]): Products {
  const products = new Map<string, { nodes: Node[]; weights: UsedWeight[] }>();
  for (const used of weights) {
    for (const { node, kind } of used.uses) {
      const left = node.inputs[0];
      if (kind !== 'product' || left === undefined || node.attributes['transA'] === 1) continue;
      const known = products.get(left.name) ?? { nodes: [], weights: [] };
      products.set(left.name, { nodes: [...known.nodes, node], weights: [...known.weights, used] });
    }
  }
  return products;
}

/** The model's graph with a `XᵀX` for each left side as its only outputs. */
function withSums(model: Model, products: Products): Program & { readonly names: ReadonlyMap<string, string> } {
  const { graph, state } = inferenceProgram(model);
  const builder = new GraphBuilder(graph.name);
  const bindings = new Map<Value, Value>();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  inlineGraph(builder, graph, bindings);
  const names = new Map<string, string>();
  const byNode = new Map(graph.nodes.map((node) => [node.name, node]));
  for (const [name, { nodes }] of products) {
    // Passes may have renamed or bypassed the value; the node keeps its name.
    const left = byNode.get(nodes[0]?.name ?? '')?.inputs[0];
    const x = left === undefined ? undefined : (bindings.get(left) ?? left);
    if (x === undefined) continue;
    const output = `sum.${names.size}`;
    const rows = builder.op('Reshape', [x, builder.integers([-1, x.shape.at(-1) as number])]);
    builder.output(output, builder.op('MatMul', [builder.op('Transpose', [rows], { perm: [1, 0] }), rows]));
    names.set(name, output);
  }
  // Each batch begins with the states that the model begins with.
  const constant = state.map(({ name, input, initial }) => ({ name, input, initial }));
  return { graph: removeDeadNodes.run(builder.build()), state: constant, names };
}

function addTo(sums: Map<string, Float64Array>, name: string, values: Float64Array): void {
  const sum = sums.get(name);
  if (sum === undefined) sums.set(name, values.slice());
  else for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (values[at] as number);
}

function collect(
  products: Products,
  names: ReadonlyMap<string, string>,
  sums: ReadonlyMap<string, Float64Array>,
): ReadonlyMap<Value, SquareMatrix> {
  const hessians = new Map<Value, SquareMatrix>();
  for (const [name, { weights }] of products) {
    const data = sums.get(names.get(name) ?? '');
    if (data === undefined) continue;
    for (const { value } of weights) {
      const known = hessians.get(value);
      // A weight that is used twice answers for both.
      if (known === undefined) hessians.set(value, { order: Math.round(Math.sqrt(data.length)), data });
      else hessians.set(value, { ...known, data: known.data.map((each, at) => each + (data[at] as number)) });
    }
  }
  return hessians;
}
