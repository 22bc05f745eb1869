import type { Graph, Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { copyNode, inlineGraph } from '../graph/inline.js';
import { bodyInputTypes, type ScanAttributes, type ScanLayout, scanLayout } from '../ops/scan-layout.js';
import { sourceOf } from '../ops/scan-steps.js';
import { outputOf } from '../ops/subgraph-output.js';
import { isFloat } from '../tensor/dtype.js';
import { isConcrete } from '../tensor/shape.js';

const isScan = ({ op, domain }: Node): boolean => op === 'Scan' && domain === '';

/** The node without the stacked outputs that nobody wants, if it is a `Scan`. Its body may then hold dead nodes. */
export function withScanOutputs(node: Node, isWanted: (output: Value) => boolean): Node {
  if (!isScan(node)) return node;
  const attributes = node.attributes as unknown as ScanAttributes;
  const { body, num_scan_inputs: count } = attributes;
  const stateCount = body.inputs.length - count;
  const keeps = node.outputs.map((output, index) => index < stateCount || isWanted(output));
  if (keeps.every((kept) => kept)) return node;
  const only = <T>(list: readonly T[]): readonly T[] => list.filter((_, index) => keeps[index]);
  const onlyStacked = (list: readonly number[] | undefined): readonly number[] | undefined =>
    list?.filter((_, index) => keeps[stateCount + index]);
  const { scan_output_axes: axes, scan_output_directions: directions, ...rest } = node.attributes;
  return {
    ...node,
    outputs: only(node.outputs),
    attributes: {
      ...rest,
      body: { ...body, outputs: only(body.outputs) },
      ...(axes === undefined ? {} : { scan_output_axes: onlyStacked(attributes.scan_output_axes) }),
      ...(directions === undefined ? {} : { scan_output_directions: onlyStacked(attributes.scan_output_directions) }),
    },
  };
}

/**
 * For `inlineGraph`: copies a `Scan` so that it gives out all that its body computes, which spares the gradient from computing it
 * once more. What the gradient does not take, `removeDeadNodes` drops again.
 */
export function withIntermediates(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
  resolve: (value: Value) => Value,
): readonly Value[] | undefined {
  if (!isScan(node) || [...inputs].some((input) => input === undefined || !isConcrete(input.shape))) return undefined;
  const outputs = copyNode(builder, node, inputs, resolve);
  return emittingScan(builder, builder.build().nodes.at(-1) as Node).slice(0, outputs.length);
}

function emittingScan(builder: GraphBuilder, node: Node): readonly Value[] {
  const attributes = node.attributes as unknown as ScanAttributes;
  const inputs = node.inputs as readonly Value[];
  const sequences = inputs.slice(inputs.length - attributes.num_scan_inputs);
  const layout = scanLayout(
    attributes,
    sequences.map(({ shape }) => shape.length),
  );
  const made = intermediatesOf(attributes.body, layout.stateCount);
  const direction = layout.inputReversed[0] ? 1 : 0;
  return builder.node('Scan', inputs, {
    ...attributes,
    body: emittingBody(builder, attributes.body, { inputs, layout, made }),
    scan_output_axes: [...layout.outputAxes, ...made.map(() => 0)],
    scan_output_directions: [...layout.outputReversed.map(Number), ...made.map(() => direction)],
  });
}

/** What a body computes and does not stack up as it is. */
function intermediatesOf(body: Graph, stateCount: number): readonly Value[] {
  const stacked = new Set(body.outputs.slice(stateCount).map(({ value }) => sourceOf(body, value)));
  const made = body.nodes.filter(({ op }) => op !== 'Identity').flatMap(({ outputs }) => outputs);
  return made.filter((value) => isFloat(value.dtype) && isConcrete(value.shape) && !stacked.has(value));
}

function emittingBody(
  builder: GraphBuilder,
  body: Graph,
  {
    inputs,
    layout,
    made,
  }: { readonly inputs: readonly Value[]; readonly layout: ScanLayout; readonly made: readonly Value[] },
): Graph {
  const types = bodyInputTypes(inputs, layout);
  return builder.subgraph(body.name, (inner) => {
    const bindings = new Map<Value, Value>();
    for (const [index, input] of body.inputs.entries()) {
      const { dtype, shape } = types[index] as Value;
      bindings.set(input, inner.input(input.name, dtype, shape));
    }
    const results = inlineGraph(inner, body, bindings, { keepNames: false });
    for (const [index, { name }] of body.outputs.entries()) outputOf(inner, name, results[index] as Value);
    for (const [index, value] of made.entries()) outputOf(inner, `intermediate_${index}`, bindings.get(value) as Value);
  });
}
