import {
  foldConstants,
  type Graph,
  GraphBuilder,
  inlineGraph,
  removeDeadNodes,
  runPasses,
  type Tensor,
  toInference,
  toNumbers,
  type Value,
} from '@modelwright/core';

/** How a value was rounded in training. */
export interface TrainedRounding {
  readonly scales: readonly number[];
  readonly zeroPoint: number;
  readonly axis: number;
  readonly low: number;
  readonly high: number;
}

/** A weight as it is rounded. */
export interface TrainedWeight extends TrainedRounding {
  /** Name of the weight that it was made of. */
  readonly name: string;
  /** A constant of the graph. */
  readonly value: Value;
  readonly tensor: Tensor;
}

/** A model's graph as it infers, without rounding, and how it was rounded. */
export interface RoundedGraph {
  readonly graph: Graph;
  readonly activations: ReadonlyMap<Value, TrainedRounding>;
  readonly weights: readonly TrainedWeight[];
}

interface Found {
  readonly nodeName: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: { readonly axis: number; readonly low: number; readonly high: number };
}

/** Takes rounding out of a graph; scales and zero points are computed from what training has left. */
export function withoutRounding(authored: Graph): RoundedGraph {
  const graph = toInference.run(authored);
  const builder = new GraphBuilder(graph.name);
  const bindings = new Map<Value, Value>();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  const found: Found[] = [];
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite: (node, inputs) => {
      if (node.op !== 'FakeQuantize') return undefined;
      found.push({ nodeName: node.name, inputs, attributes: node.attributes as unknown as Found['attributes'] });
      return [inputs[0]];
    },
  });
  graph.outputs.forEach(({ name }, index) => {
    builder.output(name, outputs[index] as Value);
  });
  // Whatever of these depends on parameters alone is a constant after folding.
  const probes = found.map(({ inputs }, index) =>
    inputs.map((value, at) => (value === undefined ? undefined : probe(builder, value, `rounding:${index}:${at}`))),
  );
  const folded = runPasses(builder.build(), [foldConstants, removeDeadNodes]);
  const named = new Map(folded.outputs.map(({ name, value }) => [name, value]));
  const roundings = found.map((each, index) => ({
    ...each,
    values: (probes[index] as readonly (string | undefined)[]).map((name) =>
      name === undefined ? undefined : named.get(name),
    ),
  }));
  return sorted({ ...folded, outputs: folded.outputs.slice(0, graph.outputs.length) }, roundings);
}

function probe(builder: GraphBuilder, value: Value, name: string): string {
  builder.output(name, value);
  return name;
}

function sorted(
  graph: Graph,
  roundings: readonly (Found & { readonly values: readonly (Value | undefined)[] })[],
): RoundedGraph {
  const activations = new Map<Value, TrainedRounding>();
  const weights: TrainedWeight[] = [];
  for (const { nodeName, values, attributes } of roundings) {
    const [x, scale, zeroPoint] = values as readonly [Value, Value, Value | undefined];
    const { axis, low, high } = attributes;
    const held = (value: Value): readonly number[] => [...toNumbers(graph.constants.get(value) as Tensor)];
    const rounding: TrainedRounding = {
      ...{ axis, low, high, scales: held(scale) },
      zeroPoint: zeroPoint === undefined ? 0 : (held(zeroPoint)[0] as number),
    };
    const tensor = graph.constants.get(x);
    const name = nodeName.replace(/\/FakeQuantize(_\d+)?$/, '');
    if (tensor === undefined) activations.set(x, activations.get(x) ?? rounding);
    else weights.push({ ...rounding, scales: refined(rounding), name, value: x, tensor: rounded(tensor, rounding) });
  }
  return { graph, activations, weights };
}

/** What sums of two products may reach without saturating 16 bits anywhere. */
const safeLevels = 64;

/** Scales that give the same weights by larger integers, where there are few bits: biases are rounded to the scale of the products. */
function refined({ scales, high }: TrainedRounding): readonly number[] {
  const factor = 2 ** Math.max(0, Math.floor(Math.log2(safeLevels / high)));
  return scales.map((scale) => scale / factor);
}

/** The weight as it is after rounding. */
function rounded(tensor: Tensor, { scales, axis, low, high }: TrainedRounding): Tensor {
  const builder = new GraphBuilder('weight');
  const w = builder.constant(tensor, { name: 'w' });
  const scale = builder.constant([...scales]);
  builder.output('y', builder.op('FakeQuantize', [w, scale], { axis, low, high }));
  const { outputs, constants } = foldConstants.run(builder.build());
  return constants.get((outputs[0] as { readonly value: Value }).value) as Tensor;
}
