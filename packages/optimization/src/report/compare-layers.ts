import {
  type Backend,
  castTensor,
  type Graph,
  inferenceProgram,
  isFloat,
  type Model,
  specialize,
  statelessProgram,
  Tensor,
  type TensorMap,
  toNumbers,
  type Value,
  valuesReadBy,
  zeros,
} from '@modelwright/core';
import { fittedTo } from './fitted-inputs.js';
import {
  layersOf,
  type MatchedLayer,
  matchLayers,
  type Observed,
  relativeError,
  relativeErrorOf,
} from './match-layers.js';
import { cutAtValues, exposeValues, type ProbeGraph, shiftValues } from './probe-graphs.js';
import type { LayerError, LayerErrors } from './record.js';

export interface CompareLayersOptions {
  readonly backend: Backend;
  /** Inputs of a few examples, by name. */
  readonly samples: TensorMap;
  /** Layers whose effect on the outputs is measured, each by a run: those with the largest errors. Default 48. */
  readonly mostLayers?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares two forms of a model layer by layer: how far each layer's result moved, how much of that the layer added by
 * itself, and what it alone does to the outputs.
 *
 * @param before - The model as it was.
 * @param after - The same model with other weights or ops: quantized, say. Layers of another width or scale are left out.
 * @returns the layer that hurts the outputs most first.
 * @throws {@link ModelwrightError} what the backend cannot run.
 * @example
 * const { layers } = await compareLayers(model, quantized, { backend, samples: { image } });
 * console.log(layers[0].layer);
 */
export async function compareLayers(before: Model, after: Model, options: CompareLayersOptions): Promise<LayerErrors> {
  const { samples } = options;
  const examples = Object.values(samples)[0]?.shape[0] ?? 1;
  const [first, second] = [inferenceGraph(before, samples), inferenceGraph(after, samples)];
  const layers = layersOf(first);
  const seen = await observe(first, [...new Set(layers.flatMap(({ values }) => values))], options);
  const observed = await observe(second, flowingValues(second), options);
  const matched = matchLayers(layers, new Map(seen.map(({ value, tensor }) => [value, tensor])), observed);
  const results = await run(first, samples, options);
  const outputError = distance(results, await run(second, samples, options));
  const otherLayers = layers.length - matched.length;
  if (matched.length === 0) return { layers: [], outputError, otherLayers, examples };
  const own = await ownResults(second, matched, options);
  const measured = matched.map((match, at) => measureOwn(match, own[at] as Tensor));
  const effects = await outputErrors(first, { measured, results }, options);
  const found = measured.map(
    ({ match, ownError }, at): LayerError => ({
      layer: match.node.name,
      op: match.node.op,
      accumulatedError: match.error,
      ownError,
      outputError: effects[at] ?? 0,
    }),
  );
  return {
    layers: found.sort((a, b) => b.outputError - a.outputError || b.ownError - a.ownError),
    outputError,
    otherLayers,
    examples,
  };
}

/** Floating values that depend on the inputs; weights that are dequantized do not. */
function flowingValues(graph: Graph): readonly Value[] {
  const flowing = new Set<Value>(graph.inputs);
  for (const node of graph.nodes) {
    if (valuesReadBy(node).some((value) => flowing.has(value))) for (const output of node.outputs) flowing.add(output);
  }
  for (const input of graph.inputs) flowing.delete(input);
  return [...flowing].filter(({ dtype }) => isFloat(dtype));
}

interface Measured {
  readonly match: MatchedLayer;
  /** What the layer alone adds to its result. */
  readonly shift: Tensor;
  readonly ownError: number;
}

function measureOwn(match: MatchedLayer, own: Tensor): Measured {
  const [expected, given] = [toNumbers(match.before.tensor), toNumbers(own)];
  const shift = Float32Array.from(expected, (value, at) => (given[at] as number) - value);
  const { dtype } = match.before.value;
  return {
    match,
    shift: castTensor(new Tensor('float32', match.before.tensor.shape, shift), dtype),
    ownError: relativeError(expected, given),
  };
}

function inferenceGraph(model: Model, samples: TensorMap): Graph {
  const shapes = Object.fromEntries(Object.entries(samples).map(([name, { shape }]) => [name, shape]));
  return specialize(inferenceProgram(model).graph, { inputs: shapes });
}

async function observe(
  graph: Graph,
  values: readonly Observed['value'][],
  options: CompareLayersOptions,
): Promise<readonly Observed[]> {
  const probe = exposeValues(graph, values);
  const results = await run(probe.graph, options.samples, options);
  return values.flatMap((value, at) => {
    const tensor = results[probe.outputs[at] as string];
    return tensor === undefined ? [] : [{ value, tensor }];
  });
}

/** What each layer makes, after the step, of what it was given before it. */
async function ownResults(
  graph: Graph,
  matched: readonly MatchedLayer[],
  options: CompareLayersOptions,
): Promise<readonly Tensor[]> {
  const after = [...new Set(matched.map((match) => match.after.value))];
  const given = new Map(matched.map((match) => [match.after.value, match.before.tensor]));
  const probe = cutAtValues(graph, after);
  const fed = after.map((value, at): [string, Tensor] => [
    probe.inputs[at] as string,
    castTensor(given.get(value) as Tensor, value.dtype),
  ]);
  const results = await run(probe.graph, { ...options.samples, ...Object.fromEntries(fed) }, options);
  return matched.map((match) => results[probe.outputs[after.indexOf(match.after.value)] as string] as Tensor);
}

/** Relative change of the outputs by each layer alone, for those with the largest errors of their own. */
async function outputErrors(
  graph: Graph,
  { measured, results }: { readonly measured: readonly Measured[]; readonly results: TensorMap },
  options: CompareLayersOptions,
): Promise<readonly number[]> {
  const worst = [...measured].sort((a, b) => b.ownError - a.ownError).slice(0, options.mostLayers ?? 48);
  const shifted = worst.filter(({ ownError }) => ownError > 0);
  if (shifted.length === 0) return measured.map(() => 0);
  const probe = shiftValues(
    graph,
    shifted.map(({ match }) => match.before.value),
  );
  const found = await runEach(probe, shifted, options);
  return measured.map((each) => {
    const at = shifted.indexOf(each);
    return at < 0 ? 0 : distance(results, found[at] as TensorMap);
  });
}

async function runEach(
  probe: ProbeGraph,
  shifted: readonly Measured[],
  { backend, samples, signal }: CompareLayersOptions,
): Promise<readonly TensorMap[]> {
  const name = (at: number): string => probe.inputs[at] as string;
  const nothing = Object.fromEntries(shifted.map(({ shift }, at) => [name(at), zeros(shift.dtype, shift.shape)]));
  const executable = await backend.compile(statelessProgram(probe.graph), { name: probe.graph.name });
  try {
    const results: TensorMap[] = [];
    for (const [at, { shift }] of shifted.entries()) {
      signal?.throwIfAborted();
      results.push(await executable.run({ ...fittedTo(probe.graph, samples), ...nothing, [name(at)]: shift }));
    }
    return results;
  } finally {
    await executable.dispose();
  }
}

async function run(graph: Graph, inputs: TensorMap, { backend, signal }: CompareLayersOptions): Promise<TensorMap> {
  signal?.throwIfAborted();
  const executable = await backend.compile(statelessProgram(graph), { name: graph.name });
  try {
    return await executable.run(fittedTo(graph, inputs));
  } finally {
    await executable.dispose();
  }
}

/** The relative error over all floating outputs that both have in the same shape. */
function distance(a: TensorMap, b: TensorMap): number {
  const pairs = Object.entries(a).flatMap(([name, tensor]): [Float64Array, Float64Array][] => {
    const other = b[name];
    const comparable = other !== undefined && isFloat(tensor.dtype) && String(tensor.shape) === String(other.shape);
    return comparable ? [[toNumbers(tensor), toNumbers(other)]] : [];
  });
  return relativeErrorOf(pairs);
}
