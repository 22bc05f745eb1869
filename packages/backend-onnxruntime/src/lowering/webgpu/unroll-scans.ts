import {
  type Bindings,
  capturesOf,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Node,
  type OpAttributes,
  type Pass,
  type Value,
} from '@modelwright/core';

/** Longer scans stay as they are: the graph would take longer to load than the copies to the CPU cost. */
const mostIterations = 64;

/** Writes scans of known length out, since the provider has no kernel for them and would copy every step to the CPU and back. */
export const unrollScans: Pass = {
  name: 'unroll-scans',
  description: 'writes scans of known length out, step by step',
  run(graph: Graph): Graph {
    if (!graph.nodes.some((node) => lengthOf(node) !== undefined)) return graph;
    const builder = new GraphBuilder(graph.name);
    const bindings: Bindings = new Map();
    for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
    const outputs = inlineGraph(builder, graph, bindings, {
      rewrite: (node, inputs) => {
        const length = lengthOf(node);
        if (length === undefined) return undefined;
        bindCaptures(node, { graph, bindings, builder });
        return builder.scoped({ name: node.name }, () =>
          unroll({ node, inputs: inputs as readonly Value[], length, builder, bindings }),
        );
      },
    });
    for (const [index, { name }] of graph.outputs.entries()) builder.output(name, outputs[index] as Value);
    return builder.build();
  },
};

type ScanAttributes = OpAttributes['Scan'];

function attributesOf(node: Node): ScanAttributes {
  return node.attributes as unknown as ScanAttributes;
}

/** Number of steps of a scan that is to be written out. */
function lengthOf(node: Node): number | undefined {
  if (node.op !== 'Scan' || node.domain !== '') return undefined;
  const { num_scan_inputs: count, scan_input_axes: axes } = attributesOf(node);
  const sequence = node.inputs[node.inputs.length - count];
  const rank = sequence?.shape.length ?? 0;
  const length = sequence?.shape[((axes?.[0] ?? 0) + rank) % rank];
  return typeof length === 'number' && length > 0 && length <= mostIterations ? length : undefined;
}

/** Constants that only the body reads are not copied yet. */
function bindCaptures(
  node: Node,
  { graph, bindings, builder }: { graph: Graph; bindings: Bindings; builder: GraphBuilder },
): void {
  for (const value of capturesOf(attributesOf(node).body)) {
    const constant = graph.constants.get(value);
    if (constant !== undefined && !bindings.has(value)) bindings.set(value, builder.constant(constant));
  }
}

interface Request {
  readonly node: Node;
  readonly inputs: readonly Value[];
  readonly length: number;
  readonly builder: GraphBuilder;
  readonly bindings: Bindings;
}

function unroll({ node, inputs, length, builder, bindings }: Request): readonly Value[] {
  const attributes = attributesOf(node);
  const { body, num_scan_inputs: count } = attributes;
  const stateCount = inputs.length - count;
  let states = inputs.slice(0, stateCount);
  const made: Value[][] = body.outputs.slice(stateCount).map(() => []);
  for (let step = 0; step < length; step++) {
    const slices = inputs.slice(stateCount).map((sequence, index) => {
      const isReversed = attributes.scan_input_directions?.[index] === 1;
      const place = builder.scalar(isReversed ? length - 1 - step : step, 'int64');
      return builder.op('Gather', [sequence, place], { axis: attributes.scan_input_axes?.[index] ?? 0 });
    });
    const inner: Bindings = new Map(bindings);
    for (const [index, input] of body.inputs.entries()) inner.set(input, [...states, ...slices][index] as Value);
    const results = inlineGraph(builder, body, inner, { keepNames: false });
    states = results.slice(0, stateCount);
    for (const [index, result] of results.slice(stateCount).entries()) made[index]?.push(result);
  }
  const sequences = made.map((steps, index) => {
    const axis = attributes.scan_output_axes?.[index] ?? 0;
    const ordered = attributes.scan_output_directions?.[index] === 1 ? [...steps].reverse() : steps;
    const wide = ordered.map((value) => builder.op('Unsqueeze', [value, builder.integers([axis])]));
    return builder.op('Concat', wide, { axis });
  });
  return [...states, ...sequences];
}
