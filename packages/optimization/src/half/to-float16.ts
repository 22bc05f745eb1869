import {
  type Backend,
  type Bindings,
  castTo,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Model,
  type Node,
  removeDeadNodes,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { type CalibrationData, observe } from '../quantize/calibrate/observe.js';
import { inferenceForm } from '../quantize/prepare.js';
import { type NamePattern, selectorOf } from '../quantize/selection.js';
import type { OptimizationStep } from '../step.js';
import { withGraph } from '../with-graph.js';
import { halfGraph } from './half-graph.js';
import { largestHalf, toHalf } from './half-tensor.js';

/** What becomes float16. */
export interface Float16Options {
  /**
   * `compute`: weights and all that is computed from them. `storage`: weights alone, which are made float32 when the model is
   * loaded; smaller by as much, exact but for the rounding of weights, and as fast as before. Default `compute`.
   */
  readonly precision?: 'compute' | 'storage';
  /** Inputs and outputs stay float32. Default true. */
  readonly keepIO?: boolean;
  /** Layers, nodes or weights that stay float32. */
  readonly exclude?: readonly NamePattern[];
}

/** What {@link toFloat16} takes beside. */
export interface Float16ModelOptions extends Float16Options {
  /** Runs the calibration data. */
  readonly backend?: Backend;
  /** Typical batches, by input name: layers that reach half of float16's largest number on them stay float32. */
  readonly calibration?: CalibrationData;
  readonly signal?: AbortSignal;
}

/**
 * Stores weights in float16 and computes in it. Half as large; faster on GPUs, not on CPUs, most of which have no arithmetic
 * for it. What does not fit into its range (6·10⁻⁸ … 65504) stays float32: weights that are too large, epsilons that are too
 * small, and with calibration data layers whose outputs come near the end.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a name means nothing in the model.
 * @example
 * const half = await toFloat16(model, { exclude: ['head'] });
 */
export async function toFloat16(model: Model, options: Float16ModelOptions = {}): Promise<Model> {
  return (await halved(model, options)).model;
}

/**
 * The step of `optimize` that goes over to float16; calibration data, where there are any, show what would overflow.
 *
 * @example
 * await optimize(model, { backend, steps: [float16({ precision: 'storage' })] });
 */
export function float16(options: Float16Options = {}): OptimizationStep {
  return {
    name: options.precision === 'storage' ? 'float16 weights' : 'float16',
    requires: { dtypes: ['float16'] },
    apply: (model, { backend, calibration, signal }) =>
      halved(model, {
        ...options,
        backend,
        ...(calibration === undefined ? {} : { calibration }),
        ...(signal === undefined ? {} : { signal }),
      }),
  };
}

interface Halved {
  readonly model: Model;
  readonly notes: readonly string[];
}

async function halved(model: Model, options: Float16ModelOptions): Promise<Halved> {
  const prepared = inferenceForm(model);
  const result =
    options.precision === 'storage' ? storedInHalf(prepared, options) : await computedInHalf(prepared, options);
  for (const { name, value } of result.model.parameters)
    if (value.dtype === 'float16') result.model.setTrainable(name, false);
  return result;
}

async function computedInHalf(model: Model, options: Float16ModelOptions): Promise<Halved> {
  const { graph } = model;
  const nexts = new Set(model.states.map(({ next }) => next));
  const kept = new Set(
    graph.nodes.filter(({ outputs }) => outputs.some((each) => nexts.has(each))).map(({ name }) => name),
  );
  for (const name of excludedOf(model, options).nodes) kept.add(name);
  const large = await overflowing(model, options);
  for (const name of large) kept.add(name);
  const {
    graph: half,
    left,
    clipped,
    underflows,
  } = halfGraph(graph, {
    kept,
    keepIO: options.keepIO ?? true,
    weights: new Set(model.parameters.map(({ value }) => value.name)),
    states: new Set(model.states.map(({ value }) => value.name)),
  });
  const nodes = graph.nodes.filter(({ outputs }) => outputs.some(({ dtype }) => dtype === 'float32')).length;
  return {
    model: withGraph(model, half),
    notes: [
      `float16: ${nodes - left.size} of ${nodes} nodes`,
      ...(large.length === 0 ? [] : [`too large on the calibration data: ${large.join(', ')}`]),
      ...[...left]
        .filter(([, reason]) => reason !== 'excluded')
        .map(([name, reason]) => `${name} stays float32: ${reason}`),
      ...(clipped.length === 0 ? [] : [`clipped to ±${largestHalf}: ${clipped.join(', ')}`]),
      ...(underflows === 0 ? [] : [`${underflows} weights became zero`]),
    ],
  };
}

/** Names of nodes whose outputs come near the largest number of float16. */
async function overflowing(
  model: Model,
  { backend, calibration, signal }: Float16ModelOptions,
): Promise<readonly string[]> {
  if (backend === undefined || calibration === undefined) return [];
  const nodes = model.graph.nodes.filter(({ outputs }) => outputs[0]?.dtype === 'float32');
  const found = new Set<number>();
  const watched = { backend, calibration, ...(signal === undefined ? {} : { signal }) };
  await observe(model, watched, {
    add: (builder, standing) =>
      Object.fromEntries(
        nodes.map(({ outputs }, at) => {
          const size = builder.op('Abs', [standing(outputs[0] as Value)]);
          return [`${at}`, builder.op('ReduceMax', [size], { keepdims: 0 })];
        }),
      ),
    see: (seen) => {
      // Infinities of masks are as large in float16.
      for (const [at, most] of Object.entries(seen))
        if (Number.isFinite(toNumbers(most)[0]) && (toNumbers(most)[0] as number) > largestHalf / 2)
          found.add(Number(at));
    },
  });
  return [...found].sort((a, b) => a - b).map((at) => nodes[at]?.name ?? '');
}

function storedInHalf(model: Model, options: Float16Options): Halved {
  const excluded = excludedOf(model, options).weights;
  const states = new Set(model.states.map(({ value }) => value));
  const notes: string[] = [];
  let underflowed = 0;
  const builder = new GraphBuilder(model.graph.name);
  const bindings: Bindings = new Map();
  for (const input of model.graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  const weights = model.parameters.filter(
    ({ name, value }) => value.dtype === 'float32' && !states.has(value) && !excluded.has(name),
  );
  let count = 0;
  for (const parameter of weights) {
    const { tensor, overflows, underflows } = toHalf(model.weightOf(parameter));
    if (overflows > 0) {
      notes.push(`${parameter.name} stays float32: it is too large for float16`);
      continue;
    }
    count++;
    underflowed += underflows;
    bindings.set(parameter.value, castTo(builder, builder.constant(tensor, { name: parameter.value.name }), 'float32'));
  }
  if (underflowed > 0) notes.push(`${underflowed} weights became zero`);
  return {
    model: withGraph(model, finished(builder, model.graph, bindings)),
    notes: [`${count} of ${model.parameters.length} weights stored in float16`, ...notes],
  };
}

function finished(builder: GraphBuilder, graph: Graph, bindings: Bindings): Graph {
  const outputs = inlineGraph(builder, graph, bindings);
  graph.outputs.forEach(({ name }, at) => {
    builder.output(name, outputs[at] as Value);
  });
  return removeDeadNodes.run(builder.build());
}

/** Names of the nodes and of the weights that are excluded. */
function excludedOf(
  model: Model,
  { exclude = [] }: Float16Options,
): { readonly nodes: ReadonlySet<string>; readonly weights: ReadonlySet<string> } {
  const names = new Map(model.parameters.map(({ name, value }) => [value, name]));
  const places = model.graph.nodes.flatMap((node): { readonly node: Node; readonly weight?: string }[] => {
    const weights = node.inputs.flatMap((input) => (input === undefined ? [] : (names.get(input) ?? [])));
    return [{ node }, ...weights.map((weight) => ({ node, weight }))];
  });
  const isSelected = selectorOf({ exclude }, places);
  const excluded = places.filter(({ node, weight }) => !isSelected(node, weight));
  return {
    nodes: new Set(excluded.map(({ node }) => node.name)),
    weights: new Set(excluded.flatMap(({ weight }) => weight ?? [])),
  };
}
