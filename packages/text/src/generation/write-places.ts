import { type GraphBuilder, type Shape, tensor, type Value } from '@modelwright/core';

/** What decides the places of a run. */
export interface PlacesOptions {
  readonly tokens: Value;
  /** How many tokens each of the rows of `tokens` holds already. */
  readonly position: Value;
  readonly maxLength: number;
  readonly batch: number;
  readonly rows?: Value;
}

/** Where the positions of one run stand in their rows. */
export class WritePlaces {
  readonly maxLength: number;
  /** Rows of the buffers. */
  readonly batch: number;
  /** Which rows of the buffers the run works on, int64 `[rows]`; undefined where it works on all, in their order. */
  readonly rows: Value | undefined;
  /** Positions of the run's tokens, int64 `[batch, time]`; padding may lie beyond the buffers, so it stops at their end. */
  readonly positions: Value;
  readonly #builder: GraphBuilder;
  readonly #time: number | Value;
  readonly #made: Map<string, Value> = new Map();

  constructor(builder: GraphBuilder, { tokens, position, maxLength, batch, rows }: PlacesOptions) {
    this.#builder = builder;
    this.maxLength = maxLength;
    this.batch = batch;
    this.rows = rows;
    this.#time = timeOf(builder, tokens);
    const first = builder.op('Unsqueeze', [position, builder.integers([1])]);
    const reached = this.#time === 1 ? first : builder.op('Add', [first, countUp(builder, this.#time)]);
    this.positions = builder.op('Min', [reached, builder.scalar(maxLength - 1, 'int64')]);
  }

  /** The positions spread to the shape of what is scattered: `[batch, …]` with the time at `axis`, int64. */
  indices(shape: Shape, axis: number): Value {
    return this.#once(`indices ${shape} ${axis}`, () => {
      const builder = this.#builder;
      const others = shape.map((_, index) => index).filter((index) => index !== 0 && index !== axis);
      const aligned = builder.op('Unsqueeze', [this.positions, builder.integers(others)]);
      return builder.op('Expand', [aligned, this.#extents(shape, axis)]);
    });
  }

  /**
   * Where in the buffers each slice of `now` goes, for `ScatterND`: int64 `[rows, …, axes up to the time's]`.
   *
   * @param now - `[rows, …]` with the time at `timeAxis`.
   */
  coordinates(now: Value, timeAxis: number): Value {
    const { shape } = now;
    return this.#once(`coordinates ${shape.slice(1)} ${timeAxis}`, () => {
      const builder = this.#builder;
      const axes = Array.from({ length: timeAxis + 1 }, (_, axis) => axis);
      const extents = builder.op('Shape', [now], { end: timeAxis + 1 });
      const parts = axes.map((axis) => {
        const others = axes.filter((other) => other !== axis && !(axis === timeAxis && other === 0));
        const index =
          axis === 0
            ? (this.rows as Value)
            : axis === timeAxis
              ? this.positions
              : countUp(builder, Number(shape[axis]));
        const spread = builder.op('Expand', [builder.op('Unsqueeze', [index, builder.integers(others)]), extents]);
        return builder.op('Unsqueeze', [spread, builder.integers([-1])]);
      });
      return builder.op('Concat', parts, { axis: -1 });
    });
  }

  /**
   * What keeps queries from keys behind them, `[batch, 1, time, maxLength]`: 0 where a query sees a key, else so low that
   * its weight is exactly 0.
   *
   * @param window - How many keys before its own a query sees; −1 for all.
   */
  causalBias(dtype: 'float32' | 'float16' | 'bfloat16' | 'float64', window: number): Value {
    return this.#once(`bias ${dtype} ${window}`, () => {
      const builder = this.#builder;
      const own = builder.op('Unsqueeze', [this.positions, builder.integers([1, 3])]);
      const keys = countUp(builder, this.maxLength);
      let isOpen = builder.op('LessOrEqual', [keys, own]);
      if (window >= 0) {
        const oldest = builder.op('Sub', [own, builder.scalar(window, 'int64')]);
        isOpen = builder.op('And', [isOpen, builder.op('GreaterOrEqual', [keys, oldest])]);
      }
      const low = dtype === 'float16' ? -6e4 : -1e30;
      return builder.op('Where', [isOpen, builder.scalar(0, dtype), builder.scalar(low, dtype)]);
    });
  }

  #extents(shape: Shape, axis: number): Value {
    const builder = this.#builder;
    const time = this.#time;
    if (typeof time === 'number')
      return builder.integers(shape.map((extent, index) => (index === axis ? time : Number(extent))));
    const extents = shape.map((extent, index) =>
      index === axis ? builder.op('Reshape', [time, builder.integers([1])]) : builder.integers([Number(extent)]),
    );
    return builder.op('Concat', extents, { axis: 0 });
  }

  #once(key: string, make: () => Value): Value {
    const known = this.#made.get(key) ?? make();
    this.#made.set(key, known);
    return known;
  }
}

/** Extent of the tokens' second axis: a number, or an int64 scalar of the graph. */
function timeOf(builder: GraphBuilder, tokens: Value): number | Value {
  const extent = tokens.shape[1];
  if (typeof extent === 'number') return extent;
  return builder.op('Squeeze', [builder.op('Shape', [tokens], { start: 1, end: 2 }), builder.integers([0])]);
}

/** `0 … count − 1`, int64. */
function countUp(builder: GraphBuilder, count: number | Value): Value {
  if (typeof count !== 'number')
    return builder.op('Range', [builder.scalar(0, 'int64'), count, builder.scalar(1, 'int64')]);
  const places = Array.from({ length: count }, (_, place) => place);
  return builder.constant(tensor(places, { dtype: 'int64', shape: [count] }), { name: 'places' });
}
