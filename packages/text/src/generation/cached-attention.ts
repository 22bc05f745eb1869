import { type GraphBuilder, ModelwrightError, type Node, type OpAttributes, type Value } from '@modelwright/core';
import type { WritePlaces } from './write-places.js';

/** One buffer that runs carry on: an input of the graph and its next state. */
export interface Cache {
  readonly name: string;
  readonly input: Value;
  readonly next: Value;
}

/** Extents of one attention. */
interface Heads {
  readonly queryHeads: number;
  /** Heads of keys and values; each serves `groups` heads of queries. */
  readonly keyHeads: number;
  readonly groups: number;
  readonly headSize: number;
  readonly valueSize: number;
  /** `[batch, time, heads·size]` instead of `[batch, heads, time, size]`. */
  readonly isFlat: boolean;
}

type Attributes = OpAttributes['Attention'];

/**
 * Replaces causal self-attention by attention over buffers of keys and values.
 *
 * Keys lie as `[batch, heads, size, maxLength]`: the product of one query with all of them then runs along the memory.
 */
export class CachedAttention {
  readonly caches: Cache[] = [];
  readonly #builder: GraphBuilder;
  readonly #places: WritePlaces;

  constructor(builder: GraphBuilder, places: WritePlaces) {
    this.#builder = builder;
    this.#places = places;
  }

  /** The values that stand for an attention's outputs; undefined for any other node. */
  rewrite(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] | undefined {
    if (node.op !== 'Attention' || node.domain !== '') return undefined;
    const attributes = node.attributes as unknown as Attributes;
    requireDecodable(node, attributes);
    const [query, key, value] = inputs as readonly [Value, Value, Value];
    const heads = headsOf({ query, key, value }, attributes);
    return [this.#builder.scoped({ name: node.name }, () => this.#attend(node, { query, key, value, heads }))];
  }

  #attend(node: Node, { query, key, value, heads }: { query: Value; key: Value; value: Value; heads: Heads }): Value {
    const builder = this.#builder;
    const { groups, headSize, valueSize } = heads;
    const attributes = node.attributes as unknown as Attributes;
    const keys = this.#store(`cache.${node.name}.key`, this.#columns(key, heads), 3);
    const values = this.#store(`cache.${node.name}.value`, this.#rows(value, heads.keyHeads, heads), 2);
    const scale = builder.scalar(attributes.scale ?? 1 / Math.sqrt(headSize), query.dtype);
    const queries = this.#rows(builder.op('Mul', [query, scale]), heads.queryHeads, heads);
    const scores = builder.op('MatMul', [this.#grouped(queries, heads, headSize), this.#shared(keys, groups)]);
    const capped = softcapped(builder, scores, attributes.softcap);
    const bias = this.#places.causalBias(query.dtype as 'float32', attributes.left_window_size);
    const weights = builder.op('Softmax', [builder.op('Add', [capped, this.#shared(bias, groups)])], { axis: -1 });
    const mixed = builder.op('MatMul', [weights, this.#shared(values, groups)]);
    const y =
      groups === 1 ? mixed : builder.op('Reshape', [mixed, builder.integers([0, heads.queryHeads, -1, valueSize])]);
    return heads.isFlat ? this.#joined(y, heads) : y;
  }

  /** Writes the positions of this run into a buffer, and gives it, or the rows that the run is about, as it is then. */
  #store(name: string, now: Value, timeAxis: number): Value {
    const builder = this.#builder;
    const { batch, maxLength, rows } = this.#places;
    const extents = new Map([[0, batch]]).set(timeAxis, maxLength);
    const input = builder.input(
      name,
      now.dtype,
      now.shape.map((extent, axis) => extents.get(axis) ?? extent),
    );
    const next =
      rows === undefined
        ? builder.op('ScatterElements', [input, this.#places.indices(now.shape, timeAxis), now], { axis: timeAxis })
        : builder.op('ScatterND', [input, this.#places.coordinates(now, timeAxis), now]);
    this.caches.push({ name, input, next });
    return rows === undefined ? next : builder.op('Gather', [next, rows], { axis: 0 });
  }

  /** `[batch, heads, time, size]` */
  #rows(x: Value, count: number, { isFlat }: Heads): Value {
    if (!isFlat) return x;
    return this.#builder.op('Transpose', [this.#split(x, count)], { perm: [0, 2, 1, 3] });
  }

  /** `[batch, heads, size, time]` */
  #columns(x: Value, { isFlat, keyHeads }: Heads): Value {
    if (!isFlat) return this.#builder.op('Transpose', [x], { perm: [0, 1, 3, 2] });
    return this.#builder.op('Transpose', [this.#split(x, keyHeads)], { perm: [0, 2, 3, 1] });
  }

  #split(x: Value, count: number): Value {
    const builder = this.#builder;
    return builder.op('Reshape', [x, builder.integers([0, 0, count, Number(x.shape[2]) / count])]);
  }

  #joined(x: Value, { queryHeads, valueSize }: Heads): Value {
    const builder = this.#builder;
    const byTime = builder.op('Transpose', [x], { perm: [0, 2, 1, 3] });
    return builder.op('Reshape', [byTime, builder.integers([0, 0, queryHeads * valueSize])]);
  }

  /** Heads of queries next to those of the keys that serve them, where several share one. */
  #grouped(x: Value, { groups, keyHeads }: Heads, size: number): Value {
    if (groups === 1) return x;
    const builder = this.#builder;
    return builder.op('Reshape', [x, builder.integers([0, keyHeads, groups, -1, size])]);
  }

  #shared(x: Value, groups: number): Value {
    const builder = this.#builder;
    return groups === 1 ? x : builder.op('Unsqueeze', [x, builder.integers([2])]);
  }
}

function softcapped(builder: GraphBuilder, scores: Value, softcap: number): Value {
  if (softcap <= 0) return scores;
  const cap = builder.scalar(softcap, scores.dtype);
  return builder.op('Mul', [builder.op('Tanh', [builder.op('Div', [scores, cap])]), cap]);
}

function headsOf({ query, key, value }: { query: Value; key: Value; value: Value }, attributes: Attributes): Heads {
  const isFlat = query.shape.length === 3;
  const count = (given: number | undefined, { shape }: Value): number => (isFlat ? (given ?? 1) : Number(shape[1]));
  const queryHeads = count(attributes.q_num_heads, query);
  const keyHeads = count(attributes.kv_num_heads, key);
  return {
    queryHeads,
    keyHeads,
    groups: queryHeads / keyHeads,
    headSize: Number(query.shape.at(-1)) / (isFlat ? queryHeads : 1),
    valueSize: Number(value.shape.at(-1)) / (isFlat ? keyHeads : 1),
    isFlat,
  };
}

function requireDecodable(node: Node, attributes: Attributes): void {
  const hasOthers = node.inputs.slice(3).some((input) => input !== undefined);
  const reason =
    attributes.is_causal !== 1
      ? 'it is not causal, so what it gives for a token depends on those behind it'
      : hasOthers
        ? 'it has a mask or a past of its own'
        : node.outputs.length > 1
          ? 'more than its first output is used'
          : undefined;
  if (reason === undefined) return;
  throw new ModelwrightError('unsupported-op', `attention '${node.name}' cannot be decoded token by token: ${reason}`, {
    op: node.op,
    layer: node.name,
  });
}
