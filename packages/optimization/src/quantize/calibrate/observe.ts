import {
  type Backend,
  createPredictor,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Model,
  ModelwrightError,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import { withGraph } from '../../with-graph.js';

/** Inputs of typical batches, by input name: a list, or a function whose every call goes through them from the beginning. */
export type CalibrationData = readonly TensorMap[] | (() => AsyncIterable<TensorMap> | Iterable<TensorMap>);

/** Where and on what a model is watched. */
export interface Observation {
  readonly backend: Backend;
  readonly calibration: CalibrationData;
  readonly signal?: AbortSignal;
}

/** What to add to a model's graph and where results go. */
export interface Watch {
  /**
   * @param standing - What stands in the builder for a value of the model's graph.
   * @returns what is to be seen, by name.
   */
  readonly add: (builder: GraphBuilder, standing: (value: Value) => Value) => { readonly [name: string]: Value };
  /** Takes what a batch gave. */
  readonly see: (seen: TensorMap) => void;
}

/**
 * Runs a model on samples and hands over, batch by batch, what is watched.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if there are no samples.
 */
export async function observe(
  model: Model,
  { backend, calibration, signal }: Observation,
  watch: Watch,
): Promise<void> {
  const predictor = await createPredictor(withGraph(model, watchedGraph(model.graph, watch)), backend);
  let batches = 0;
  try {
    const samples = typeof calibration === 'function' ? calibration() : calibration;
    for await (const inputs of samples) {
      signal?.throwIfAborted();
      const seen = Object.entries(await predictor.predict(inputs)).filter(([name]) => name.startsWith(prefix));
      watch.see(Object.fromEntries(seen.map(([name, tensor]) => [name.slice(prefix.length), tensor])));
      batches++;
    }
  } finally {
    await predictor.dispose();
  }
  if (batches > 0) return;
  throw new ModelwrightError(
    'invalid-argument',
    `calibration of model '${model.name}' gave no batch; at least one batch of typical inputs is needed`,
    { hint: 'pass calibration: [{ <input>: tensor }]' },
  );
}

const prefix = 'watched:';

function watchedGraph(graph: Graph, { add }: Watch): Graph {
  const builder = new GraphBuilder(graph.name);
  const bindings = new Map<Value, Value>();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  for (const [value, held] of graph.constants) bindings.set(value, builder.constant(held, { name: value.name }));
  const outputs = inlineGraph(builder, graph, bindings);
  for (const [index, { name }] of graph.outputs.entries()) builder.output(name, outputs[index] as Value);
  const watched = add(builder, (value) => bindings.get(value) ?? value);
  for (const [name, value] of Object.entries(watched)) builder.output(`${prefix}${name}`, value);
  return builder.build();
}
