import { type Graph, type Node, type Value, valuesReadBy } from '@modelwright/core';

/** A rectified pooling and its gradient: `r = Relu(z)`, `y = MaxPool(r)`, `dr = MaxPoolGradient(r, y, dy)`, `dz = ReluGradient(dr, r)`. */
interface RectifiedPooling {
  readonly relu: Node;
  readonly pooling: Node;
  readonly poolingGradient: Node;
  readonly reluGradient: Node;
}

/**
 * Pools before it rectifies, where a graph trains: the maximum of rectified numbers is the rectified maximum, and it stands at the same place
 * wherever it is above 0, which is where a gradient passes. Rectifying and its gradient then touch only the maxima.
 */
export function poolBeforeRelu(graph: Graph): Graph {
  const readers = readersOf(graph);
  const replacements = new Map<Node, readonly Node[]>();
  for (const relu of graph.nodes) {
    const found = matchPooling(relu, graph, readers);
    if (found !== undefined) for (const [node, nodes] of exchange(found)) replacements.set(node, nodes);
  }
  if (replacements.size === 0) return graph;
  return { ...graph, nodes: graph.nodes.flatMap((node) => replacements.get(node) ?? [node]) };
}

function matchPooling(
  relu: Node,
  graph: Graph,
  readers: ReadonlyMap<Value, readonly Node[]>,
): RectifiedPooling | undefined {
  const [rectified] = relu.outputs;
  if (relu.op !== 'Relu' || rectified === undefined || isOutput(graph, rectified)) return undefined;
  const users = readers.get(rectified) ?? [];
  const pooling = users.find(({ op }) => op === 'MaxPool');
  const poolingGradient = users.find(({ op }) => op === 'MaxPoolGradient');
  const reluGradient = users.find(({ op }) => op === 'ReluGradient');
  if (users.length !== 3 || !pooling || !poolingGradient || !reluGradient || pooling.outputs.length !== 1)
    return undefined;
  const [source, pooled] = poolingGradient.inputs;
  const [incoming, mask] = reluGradient.inputs;
  const [spread] = poolingGradient.outputs as readonly [Value];
  const isChain = source === rectified && pooled === pooling.outputs[0] && incoming === spread && mask === rectified;
  const isPrivate = (readers.get(spread) ?? []).length === 1 && !isOutput(graph, spread);
  return isChain && isPrivate ? { relu, pooling, poolingGradient, reluGradient } : undefined;
}

/** What each of the four nodes becomes. Outer values stay the same objects, so that all other nodes stay as they are. */
function exchange({ relu, pooling, poolingGradient, reluGradient }: RectifiedPooling): [Node, readonly Node[]][] {
  const [source] = relu.inputs as readonly [Value];
  const [pooled] = pooling.outputs as readonly [Value];
  const [gradient] = [poolingGradient.inputs[2] as Value];
  const maxima: Value = { ...pooled, name: `${pooled.name}/before Relu` };
  const masked: Value = { ...gradient, name: `${gradient.name}/after Relu` };
  return [
    [relu, []],
    [
      pooling,
      [
        { ...pooling, inputs: [source], outputs: [maxima] },
        { ...relu, inputs: [maxima], outputs: [pooled] },
      ],
    ],
    [poolingGradient, []],
    [
      reluGradient,
      [
        { ...reluGradient, inputs: [gradient, pooled], outputs: [masked] },
        { ...poolingGradient, inputs: [source, maxima, masked], outputs: reluGradient.outputs },
      ],
    ],
  ];
}

function isOutput(graph: Graph, value: Value): boolean {
  return graph.outputs.some((output) => output.value === value);
}

function readersOf(graph: Graph): ReadonlyMap<Value, readonly Node[]> {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes)
    for (const value of new Set(valuesReadBy(node))) readers.set(value, [...(readers.get(value) ?? []), node]);
  return readers;
}
