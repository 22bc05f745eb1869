import {
  type Backend,
  createPredictor,
  fromNumbers,
  type Graph,
  type Model,
  subgraphsOf,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';

/** Numbers in [0, 1), always the same. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Gives every normalization scales, shifts, means and variances that differ from channel to channel. */
export function randomStatistics<M extends Model>(model: M, seed = 7): M {
  const next = numbers(seed);
  const ranges: readonly (readonly [RegExp, number, number])[] = [
    [/gamma$/, 0.5, 1.5],
    [/(beta|movingMean|bias)$/, -0.5, 0.5],
    [/movingVariance$/, 0.4, 1.6],
  ];
  const weights = model.parameters.flatMap((parameter) => {
    const range = ranges.find(([pattern]) => pattern.test(parameter.name));
    if (range === undefined) return [];
    const tensor = model.weightOf(parameter);
    const drawn = Array.from({ length: tensor.elementCount }, () => range[1] + (range[2] - range[1]) * next());
    return [[parameter.name, fromNumbers('float32', tensor.shape, drawn)] as const];
  });
  model.setWeights(Object.fromEntries(weights));
  return model;
}

/** A batch of random inputs for a model; symbolic extents are `batch`. */
export function randomInputs(model: Model, batch = 2, seed = 3): TensorMap {
  const next = numbers(seed);
  return Object.fromEntries(
    model.graph.inputs.map(({ name, dtype, shape }) => {
      const concrete = shape.map((extent) => (typeof extent === 'number' ? extent : batch));
      const count = concrete.reduce((product, extent) => product * extent, 1);
      return [
        name,
        fromNumbers(
          dtype as 'float32',
          concrete,
          Array.from({ length: count }, () => 2 * next() - 1),
        ),
      ];
    }),
  );
}

/** The largest difference of any output of two models on the same random inputs, as a share of the largest number above 1. */
export async function largestDifference(backend: Backend, before: Model, after: Model): Promise<number> {
  const inputs = randomInputs(before);
  const [first, second] = [await run(backend, before, inputs), await run(backend, after, inputs)];
  const differences = Object.keys(first).map((name) => {
    const [a, b] = [toNumbers(first[name] as Tensor), toNumbers(second[name] as Tensor)];
    const scale = a.reduce((most, each) => Math.max(most, Math.abs(each)), 1);
    // Numbers that are all the same would agree whatever was computed.
    if (a.every((each) => each === a[0])) return Number.NaN;
    return a.reduce((most, each, index) => Math.max(most, Math.abs(each - (b[index] ?? Number.NaN))), 0) / scale;
  });
  return Math.max(...differences);
}

async function run(backend: Backend, model: Model, inputs: TensorMap): Promise<TensorMap> {
  const predictor = await createPredictor(model, backend);
  try {
    return await predictor.predict(inputs);
  } finally {
    await predictor.dispose();
  }
}

/** The ops of a model, those in bodies included. */
export function opsOf({ graph }: { readonly graph: Graph }): readonly string[] {
  return graph.nodes.flatMap((node) => [node.op, ...subgraphsOf(node).flatMap((each) => opsOf(each))]);
}
