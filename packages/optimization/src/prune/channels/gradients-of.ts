import {
  type Backend,
  type Bindings,
  backpropagate,
  type Graph,
  GraphBuilder,
  inlineGraph,
  isFloat,
  type Model,
  ModelwrightError,
  type TensorMap,
  toInference,
  type Value,
} from '@modelwright/core';

/** What a loss is built from. */
export interface LossGraph {
  readonly builder: GraphBuilder;
  /** All tensors of the batch, by name: the model's inputs, and targets beside them. */
  readonly batch: { readonly [name: string]: Value };
  /** The model's outputs, by name. */
  readonly outputs: { readonly [name: string]: Value };
}

export interface GradientsOfOptions {
  readonly backend: Backend;
  /** Batches with the model's inputs and whatever the loss reads besides, all of one size (the last may be left out). */
  readonly batches: Iterable<TensorMap> | AsyncIterable<TensorMap>;
  /** Builds the loss, a scalar. */
  readonly loss: (graph: LossGraph) => Value;
}

/**
 * Gradients of a loss by the model's trainable weights, one map a batch, in the form the model infers in: what the
 * importance `taylor` is computed from.
 *
 * @example
 * const gradients = (model: Model) => gradientsOf(model, { backend, batches, loss: ({ builder, batch, outputs }) =>
 *   builder.op('ReduceMean', [builder.op('SparseSoftmaxCrossEntropy', [outputs.logits, batch.labels])]) });
 * @throws {@link ModelwrightError} `invalid-data` when a batch lacks an input, `not-differentiable` as the model's ops are.
 */
export async function* gradientsOf(model: Model, options: GradientsOfOptions): AsyncGenerator<TensorMap> {
  let compiled:
    | { readonly key: string; readonly run: (batch: TensorMap) => Promise<TensorMap>; dispose(): Promise<void> }
    | undefined;
  try {
    for await (const batch of options.batches) {
      const key = JSON.stringify(Object.entries(batch).map(([name, { shape }]) => [name, shape]));
      if (compiled?.key !== key) {
        await compiled?.dispose();
        const executable = await options.backend.compile({
          graph: gradientGraph(model, batch, options.loss),
          state: [],
        });
        compiled = { key, run: (inputs) => executable.run(inputs), dispose: () => executable.dispose() };
      }
      yield await compiled.run(batch);
    }
  } finally {
    await compiled?.dispose();
  }
}

function gradientGraph(model: Model, batch: TensorMap, loss: GradientsOfOptions['loss']): Graph {
  const graph = toInference.run(model.graph);
  const builder = new GraphBuilder(`${model.name}.gradients`);
  const inputs = Object.fromEntries(
    Object.entries(batch).map(([name, { dtype, shape }]) => [name, builder.input(name, dtype, shape)]),
  );
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) {
    const given = inputs[input.name];
    if (given === undefined) {
      throw new ModelwrightError('invalid-data', `a batch lacks input '${input.name}' of model '${model.name}'`, {
        input: input.name,
        given: Object.keys(batch),
      });
    }
    bindings.set(input, given);
  }
  const outputs = inlineGraph(builder, graph, bindings);
  const byName = Object.fromEntries(graph.outputs.map(({ name }, index) => [name, outputs[index] as Value]));
  const value = loss({ builder, batch: inputs, outputs: byName });
  const constants = new Map([...graph.constants.keys()].map((each) => [each.name, each]));
  const weights = model.parameters.flatMap(({ name, role, value: { name: constant } }) => {
    const held = constants.get(constant);
    const bound = held && bindings.get(held);
    return bound === undefined || role !== 'weight' || !isFloat(bound.dtype) ? [] : [{ name, value: bound }];
  });
  const gradients = backpropagate(
    builder,
    [{ value }],
    weights.map((weight) => weight.value),
  );
  weights.forEach(({ name }, index) => {
    builder.output(name, gradients[index] as Value);
  });
  return builder.build();
}
