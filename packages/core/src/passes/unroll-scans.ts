import { capturesOf, type Graph, type Node, type Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { type Bindings, inlineGraph } from '../graph/inline.js';
import type { OpAttributes } from '../ops/families.js';
import type { Pass } from './pass.js';

type ScanAttributes = OpAttributes['Scan'];

/** A pass that writes scans of at most `mostSteps` steps out, step by step. */
export function unrollScans(mostSteps: number): Pass {
  const lengthOf = (node: Node): number | undefined => {
    const length = knownLengthOf(node);
    return length !== undefined && length > 0 && length <= mostSteps ? length : undefined;
  };
  return {
    name: 'unroll-scans',
    description: 'writes scans of known length out, step by step',
    run(graph: Graph): Graph {
      if (!graph.nodes.some((node) => lengthOf(node) !== undefined)) return graph;
      const builder = new GraphBuilder(graph.name);
      const bindings: Bindings = new Map();
      for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
      const outputs = inlineGraph(builder, graph, bindings, {
        rewrite: (node, inputs, target, resolve) => {
          const length = target === builder ? lengthOf(node) : undefined;
          if (length === undefined) return undefined;
          const attributes = attributesOf(node);
          const captured = new Map([...capturesOf(attributes.body)].map((value) => [value, resolve(value)]));
          return builder.scoped({ name: node.name }, () =>
            unroll({ attributes, inputs: inputs as readonly Value[], length, builder, captured }),
          );
        },
      });
      for (const [index, { name }] of graph.outputs.entries()) builder.output(name, outputs[index] as Value);
      return builder.build();
    },
  };
}

function attributesOf(node: Node): ScanAttributes {
  return node.attributes as unknown as ScanAttributes;
}

/** Number of steps of a scan, if it is known. */
function knownLengthOf(node: Node): number | undefined {
  if (node.op !== 'Scan' || node.domain !== '') return undefined;
  const { num_scan_inputs: count, scan_input_axes: axes } = attributesOf(node);
  const sequence = node.inputs[node.inputs.length - count];
  const rank = sequence?.shape.length ?? 0;
  const length = sequence?.shape[((axes?.[0] ?? 0) + rank) % rank];
  return typeof length === 'number' ? length : undefined;
}

interface Request {
  readonly attributes: ScanAttributes;
  readonly inputs: readonly Value[];
  readonly length: number;
  readonly builder: GraphBuilder;
  /** Values that the body captures, as they are called in the new graph. */
  readonly captured: ReadonlyMap<Value, Value>;
}

function unroll(request: Request): readonly Value[] {
  const { attributes, inputs, length, builder, captured } = request;
  const { body, num_scan_inputs: count } = attributes;
  const stateCount = inputs.length - count;
  let states = inputs.slice(0, stateCount);
  const made: Value[][] = body.outputs.slice(stateCount).map(() => []);
  const sequences = inputs.slice(stateCount).map((_, index) => stepsOf(request, index));
  // Constants of the body stand once, not once a step.
  const constants = new Map([...body.constants].map(([value, tensor]) => [value, builder.constant(tensor)]));
  for (let step = 0; step < length; step++) {
    const slices = sequences.map((at) => at(step));
    const inner: Bindings = new Map([...captured, ...constants]);
    for (const [index, input] of body.inputs.entries()) inner.set(input, [...states, ...slices][index] as Value);
    const results = inlineGraph(builder, body, inner, { keepNames: false, rewrite: withoutIdentities });
    states = results.slice(0, stateCount);
    for (const [index, result] of results.slice(stateCount).entries()) made[index]?.push(result);
  }
  return [...states, ...made.map((steps, index) => stacked(request, steps, index))];
}

/** Outputs of a body want values of their own; written out they do not. */
function withoutIdentities({ op, domain }: Node, inputs: readonly (Value | undefined)[]): readonly Value[] | undefined {
  return op === 'Identity' && domain === '' ? [inputs[0] as Value] : undefined;
}

/** The steps of scanned input `index`, in the order in which they are run. */
function stepsOf({ attributes, inputs, length, builder }: Request, index: number): (step: number) => Value {
  const sequence = inputs[inputs.length - attributes.num_scan_inputs + index] as Value;
  const isReversed = attributes.scan_input_directions?.[index] === 1;
  const axis = attributes.scan_input_axes?.[index] ?? 0;
  return (step) => {
    const place = builder.scalar(isReversed ? length - 1 - step : step, 'int64');
    return builder.op('Gather', [sequence, place], { axis });
  };
}

/** The results of all steps along the axis that the scan stacks them on. */
function stacked({ attributes, builder }: Request, steps: readonly Value[], index: number): Value {
  const axis = attributes.scan_output_axes?.[index] ?? 0;
  const ordered = attributes.scan_output_directions?.[index] === 1 ? [...steps].reverse() : steps;
  const wide = ordered.map((value) => builder.op('Unsqueeze', [value, builder.integers([axis])]));
  return builder.op('Concat', wide, { axis });
}
