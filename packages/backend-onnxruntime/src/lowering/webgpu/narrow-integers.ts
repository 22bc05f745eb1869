import {
  fromNumbers,
  type Graph,
  type GraphBuilder,
  type Node,
  onnxDataType,
  rebuildGraph,
  removeDeadNodes,
  tensor,
  toNumbers,
  type Value,
  valuesReadBy,
} from '@modelwright/core';

/** A graph that computes with integers of 32 bits what it can. */
export interface NarrowedGraph {
  readonly graph: Graph;
  /** Inputs that are to be fed as int32, by name, with the int64 inputs they stand for. */
  readonly narrowed: ReadonlyMap<string, string>;
}

/**
 * Labels, indices and comparisons in int32: the provider has no kernels for int64. Only ops whose results are exact in it are changed: those
 * that move elements, compare them, or take them for places. An int64 input becomes an int32 one, which whoever feeds it checks.
 */
export function narrowIntegers(graph: Graph): NarrowedGraph {
  const narrowing = new Narrowing();
  const rebuilt = rebuildGraph(graph, {
    rewrite: (node, inputs, builder) => narrowing.rewrite(node, inputs, builder),
  }).graph;
  if (!narrowing.hasChanged) return { graph, narrowed: new Map() };
  const { inputs, ...rest } = removeDeadNodes.run(rebuilt);
  const read = new Set([...rest.nodes.flatMap(valuesReadBy), ...rest.outputs.map(({ value }) => value)]);
  const replaced = new Set(narrowing.inputs.values());
  return {
    graph: { ...rest, inputs: inputs.filter((input) => read.has(input) || !replaced.has(input.name)) },
    narrowed: narrowing.inputs,
  };
}

type Inputs = readonly (Value | undefined)[];

/** How an op comes by its int64 result in int32: places among its inputs of what it moves. */
const movements: { readonly [op: string]: readonly number[] | 'all' | undefined } = {
  Identity: [0],
  Reshape: [0],
  Flatten: [0],
  Squeeze: [0],
  Unsqueeze: [0],
  Transpose: [0],
  Slice: [0],
  Expand: [0],
  Tile: [0],
  Gather: [0],
  GatherElements: [0],
  Where: [1, 2],
  Concat: 'all',
};

/** Inputs that ops of other results take as integers, by place. */
const consumers: { readonly [op: string]: readonly number[] | undefined } = {
  Equal: [0, 1],
  Greater: [0, 1],
  GreaterOrEqual: [0, 1],
  Less: [0, 1],
  LessOrEqual: [0, 1],
  Cast: [0],
  Gather: [1],
  GatherElements: [1],
  ScatterElements: [1],
};

const mostNarrow = 2 ** 31 - 1;

class Narrowing {
  /** Int64 inputs by the name of the int32 input that stands for them. */
  readonly inputs: Map<string, string> = new Map();
  hasChanged = false;
  /** The builder of the graph itself; what stands in bodies is left alone. */
  #builder: GraphBuilder | undefined;
  readonly #known: Map<Value, Value | undefined> = new Map();
  /** How to make the int32 form of an int64 result that nobody has asked for yet. */
  readonly #recipes: Map<Value, () => Value | undefined> = new Map();

  rewrite(node: Node, inputs: Inputs, builder: GraphBuilder): readonly Value[] | undefined {
    this.#builder ??= builder;
    if (builder !== this.#builder || node.domain !== '') return undefined;
    const [output] = node.outputs;
    if (output?.dtype !== 'int64') return this.#consume(node, inputs, builder);
    const recipe = this.#recipeOf(node, inputs, builder);
    if (recipe === undefined) return undefined;
    const copied = builder.anyNode({ ...node, inputs }, node.outputs, { nodeName: node.name, name: output.name });
    this.#recipes.set(copied[0] as Value, recipe);
    return copied;
  }

  #consume(node: Node, inputs: Inputs, builder: GraphBuilder): readonly Value[] | undefined {
    const places = (consumers[node.op] ?? []).filter((place) => inputs[place]?.dtype === 'int64');
    const changed = this.#withNarrow(inputs, places);
    if (places.length === 0 || changed === undefined) return undefined;
    this.hasChanged = true;
    const [output] = node.outputs;
    return builder.anyNode({ ...node, inputs: changed }, node.outputs, {
      nodeName: node.name,
      ...(output === undefined ? {} : { name: output.name }),
    });
  }

  #recipeOf(node: Node, inputs: Inputs, builder: GraphBuilder): (() => Value | undefined) | undefined {
    const moved = movements[node.op];
    if (moved !== undefined) {
      const places = moved === 'all' ? [...inputs.keys()] : moved;
      return () => {
        const changed = this.#withNarrow(inputs, places);
        const types = node.outputs.map(({ shape }) => ({ dtype: 'int32' as const, shape }));
        return changed && builder.anyNode({ ...node, inputs: this.#indexed(node, changed) }, types)[0];
      };
    }
    if (node.op === 'ArgMax' || node.op === 'ArgMin') return () => placeOfExtreme(node, inputs[0] as Value, builder);
    const isCast = node.op === 'Cast' && (inputs[0]?.dtype === 'bool' || inputs[0]?.dtype === 'int32');
    return isCast ? () => builder.op('Cast', [inputs[0]], { to: onnxDataType('int32') }) : undefined;
  }

  /** The places that a movement takes elements from, in int32 as well. */
  #indexed({ op }: Node, inputs: Inputs): Inputs {
    const isIndexed = (op === 'Gather' || op === 'GatherElements') && inputs[1]?.dtype === 'int64';
    return isIndexed ? (this.#withNarrow(inputs, [1]) ?? inputs) : inputs;
  }

  /** The inputs with those at some places in int32; undefined where one has no such form. */
  #withNarrow(inputs: Inputs, places: readonly number[]): Inputs | undefined {
    const changed = [...inputs];
    for (const place of places) {
      const narrow = this.#narrow(inputs[place] as Value);
      if (narrow === undefined) return undefined;
      changed[place] = narrow;
    }
    return changed;
  }

  #narrow(value: Value): Value | undefined {
    if (!this.#known.has(value)) this.#known.set(value, this.#make(value, this.#builder as GraphBuilder));
    return this.#known.get(value);
  }

  #make(value: Value, builder: GraphBuilder): Value | undefined {
    const constant = builder.constantOf(value);
    if (constant !== undefined) {
      const numbers = toNumbers(constant);
      if (numbers.some((number) => Math.abs(number) > mostNarrow)) return undefined;
      return builder.constant(fromNumbers('int32', constant.shape, numbers), { name: `${value.name}.int32` });
    }
    if (!builder.build().inputs.includes(value)) return this.#recipes.get(value)?.();
    const input = builder.input(`${value.name}.int32`, 'int32', value.shape);
    this.inputs.set(input.name, value.name);
    return input;
  }
}

// The first (or last) place where x equals its extreme: min over where(x = max x, place, extent).
function placeOfExtreme({ op, attributes }: Node, x: Value, builder: GraphBuilder): Value | undefined {
  const { axis, keepdims, select_last_index: isLast } = attributes as { [name: string]: number };
  const rank = x.shape.length;
  const place = ((axis ?? 0) + rank) % rank;
  const extent = x.shape[place];
  // Places are counted in float32, whose reductions have kernels.
  if (x.dtype !== 'float32' || typeof extent !== 'number' || extent > 2 ** 24) return undefined;
  const axes = builder.integers([place]);
  const extreme = builder.op(op === 'ArgMax' ? 'ReduceMax' : 'ReduceMin', [x, axes], { keepdims: 1 });
  const shape = Array.from({ length: rank - place }, (_, index) => (index === 0 ? extent : 1));
  const places = tensor(
    Array.from({ length: extent }, (_, index) => index),
    { dtype: 'float32', shape },
  );
  const none = builder.scalar(isLast ? -1 : extent, 'float32');
  const hits = builder.op('Where', [builder.op('Equal', [x, extreme]), builder.constant(places), none]);
  const first = builder.op(isLast ? 'ReduceMax' : 'ReduceMin', [hits, axes], { keepdims: keepdims ?? 1 });
  return builder.op('Cast', [first], { to: onnxDataType('int32') });
}
