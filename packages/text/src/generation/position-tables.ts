import {
  evaluateGraph,
  expandBlockQuantized,
  type Graph,
  GraphBuilder,
  inlineGraph,
  isConcrete,
  ModelwrightError,
  modelwrightDomain,
  type Node,
  removeDeadNodes,
  reshapeTensor,
  type Tensor,
  tensor,
  type Value,
  zeros,
} from '@modelwright/core';
import { type PositionFlow, positionFlow } from './position-flow.js';
import type { WritePlaces } from './write-places.js';

interface Destination {
  readonly builder: GraphBuilder;
  readonly places: WritePlaces;
  readonly maxLength: number;
  readonly tokens: Value;
}

/**
 * What a model computes from positions alone (rows of a learned table, angles), computed beforehand for every position a text
 * may have. The decoding program looks up the rows of the positions it is at, which each row of a batch may have others of.
 */
export class PositionTables {
  readonly #flow: PositionFlow;
  readonly #to: Destination;
  readonly #tables: ReadonlyMap<Value, Table>;
  readonly #looked: Map<Value, Value> = new Map();

  constructor(graph: Graph, to: Destination) {
    this.#flow = positionFlow(graph);
    this.#to = to;
    this.#tables = computeTables(graph, [...this.#flow.frontier.keys()], to);
  }

  /** What stands for the outputs of a node that computes from positions alone; undefined for any other node. */
  rewrite(node: Node): readonly (Value | undefined)[] | undefined {
    if (!node.outputs.some((output) => this.#flow.isPositional(output))) return undefined;
    // Values between positions and table rows have no reader left.
    return node.outputs.map((output) => (this.#tables.has(output) ? this.#lookUp(output) : undefined));
  }

  #lookUp(value: Value): Value {
    const known = this.#looked.get(value) ?? this.#rows(value, this.#tables.get(value) as Table);
    this.#looked.set(value, known);
    return known;
  }

  /** `[batch, 1…, time, …]`: the table's own axes, the first of which become those of the batch and of what broadcasts. */
  #rows(value: Value, { content, timeAxis }: Table): Value {
    const { builder, places } = this.#to;
    const inner = content.shape.slice(timeAxis + 1);
    const table = builder.constant(reshapeTensor(content, content.shape.slice(timeAxis)), {
      name: `${value.name}.table`,
    });
    const rows = builder.op('Gather', [table, places.positions], { axis: 0 });
    const rank = timeAxis === 0 ? this.#rankOfReaders(value) : content.shape.length;
    const between = rank - 2 - inner.length;
    if (between < 0) throw notDecodable(value, 'it is not added to each row of a batch');
    if (between === 0) return rows;
    return builder.op('Unsqueeze', [rows, builder.integers(Array.from({ length: between }, (_, index) => index + 1))]);
  }

  /** A value without an axis of the batch broadcasts; aligned from the right, it takes the rank of what reads it. */
  #rankOfReaders(value: Value): number {
    const readers = this.#flow.frontier.get(value) as readonly Node[];
    const ranks = new Set(readers.map(({ outputs }) => (outputs[0] as Value).shape.length));
    const [rank] = ranks;
    if (readers.every(({ op }) => broadcasting.has(op)) && ranks.size === 1 && rank !== undefined) return rank;
    throw notDecodable(value, `it is read by ${readers.map(({ op }) => op).join(', ')}`);
  }
}

/** Ops that align a smaller operand from the right. */
const broadcasting: ReadonlySet<string> = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Pow',
  'Min',
  'Max',
  'Sum',
  'Mean',
  'Where',
]);

interface Table {
  readonly content: Tensor;
  readonly timeAxis: number;
}

function computeTables(graph: Graph, values: readonly Value[], to: Destination): ReadonlyMap<Value, Table> {
  if (values.length === 0) return new Map();
  const { maxLength, tokens } = to;
  const whole = atLength(graph, { values, tokens, length: maxLength });
  // The axis of time is the one that grows with the length.
  const other = atLength(graph, { values, tokens, length: maxLength > 1 ? maxLength - 1 : 2 });
  const results = evaluateGraph(whole, { [tokens.name]: zeros(tokens.dtype, [1, maxLength]) });
  return new Map(
    values.map((value, index): [Value, Table] => {
      const content = results[`${index}`] as Tensor;
      const shorter = other.outputs[index]?.value.shape ?? [];
      const axes = content.shape.flatMap((extent, axis) => (extent === shorter[axis] ? [] : [axis]));
      const [timeAxis] = axes;
      if (
        axes.length !== 1 ||
        timeAxis === undefined ||
        content.shape.slice(0, timeAxis).some((extent) => extent !== 1)
      )
        throw notDecodable(value, `at ${maxLength} positions it has the shape [${content.shape}]`);
      return [value, { content, timeAxis }];
    }),
  );
}

/** The part of a graph that computes `values`, for one row of `length` tokens. */
function atLength(
  graph: Graph,
  { values, tokens, length }: { values: readonly Value[]; tokens: Value; length: number },
): Graph {
  const builder = new GraphBuilder(`${graph.name} positions`);
  const bindings = new Map([[tokens, builder.input(tokens.name, tokens.dtype, [1, length])]]);
  inlineGraph(builder, graph, bindings, {
    rewrite: (node, inputs) =>
      // Foreign ops do not infer shapes anew.
      expandBlockQuantized(node, inputs, builder) ??
      (inputs[0] === undefined ? undefined : constantFromShape(builder, node, inputs[0])),
  });
  for (const [index, value] of values.entries()) builder.output(`${index}`, bindings.get(value) as Value);
  return removeDeadNodes.run(builder.build());
}

/** With extents known, what reads shapes is constant: nothing is left that depends on what the tokens are. */
function constantFromShape(
  builder: GraphBuilder,
  { op, domain, attributes }: Node,
  { shape }: Value,
): readonly Value[] | undefined {
  if (!isConcrete(shape)) return undefined;
  const constant = (values: readonly number[]): readonly Value[] => [
    builder.constant(tensor(values, { dtype: 'int64', shape: [values.length] })),
  ];
  if (op === 'Positions' && domain === modelwrightDomain) {
    const count = shape.at(attributes['axis'] as number) as number;
    return constant(Array.from({ length: count }, (_, place) => place));
  }
  if (op !== 'Shape' || domain !== '') return undefined;
  const { start = 0, end } = attributes as { start?: number; end?: number };
  return constant(shape.slice(start, end));
}

function notDecodable(value: Value, reason: string): ModelwrightError {
  return new ModelwrightError(
    'unsupported-op',
    `'${value.name}', which depends on positions, cannot be computed for one position at a time: ${reason}`,
    { layer: value.name },
  );
}
