import { counterUniform, GraphBuilder, Model, type Parameter, Tensor, type Value } from '@modelwright/core';

/** Extents of a small language model. */
export interface TinyGptOptions {
  readonly positions: 'learned' | 'rotary';
  readonly vocabulary?: number;
  readonly width?: number;
  readonly heads?: number;
  /** Heads of keys and values. */
  readonly keyHeads?: number;
  readonly layers?: number;
  readonly context?: number;
  /** Extent of the time axis; a name leaves it open. */
  readonly time?: number | string;
  readonly window?: number;
}

/** A pre-norm decoder with random weights, written in core's own ops. */
export function tinyGpt(options: TinyGptOptions): Model {
  return new TinyGpt(options).build();
}

class TinyGpt {
  readonly #options: Required<TinyGptOptions>;
  readonly #builder = new GraphBuilder('tiny');
  readonly #parameters: Parameter[] = [];

  constructor(options: TinyGptOptions) {
    const heads = options.heads ?? 4;
    const defaults = {
      vocabulary: 29,
      width: 32,
      heads,
      keyHeads: heads,
      layers: 2,
      context: 48,
      time: 'time',
      window: -1,
    };
    this.#options = { ...defaults, ...options };
  }

  build(): Model {
    const { vocabulary, width, layers, time } = this.#options;
    const builder = this.#builder;
    const tokens = builder.input('tokens', 'int32', ['batch', time]);
    let x = builder.op('Gather', [this.#weight('token', [vocabulary, width]), tokens]);
    const positions = builder.op('Positions', [tokens], { axis: 1 });
    if (this.#options.positions === 'learned') {
      const table = this.#weight('position', [this.#options.context, width]);
      x = builder.op('Add', [x, builder.op('Gather', [table, positions])]);
    }
    for (let layer = 0; layer < layers; layer++) x = this.#block(x, `h${layer}`, positions);
    const head = builder.op('MatMul', [this.#normalized(x, 'final'), this.#weight('head', [width, vocabulary], 4)]);
    builder.output('logits', head);
    return new Model({ name: 'tiny', graph: builder.build(), parameters: this.#parameters });
  }

  #block(x: Value, name: string, positions: Value): Value {
    const builder = this.#builder;
    const { width, heads, keyHeads, window } = this.#options;
    const keyWidth = (width / heads) * keyHeads;
    const normalized = this.#normalized(x, `${name}.norm1`);
    const project = (part: string, columns: number): Value =>
      builder.op('MatMul', [normalized, this.#weight(`${name}.${part}`, [width, columns])]);
    const [query, key] = [project('query', width), project('key', keyWidth)].map((value, index) =>
      this.#turned(value, index === 0 ? heads : keyHeads, positions),
    ) as [Value, Value];
    const mixed = builder.op(
      'Attention',
      [query, key, project('value', keyWidth)],
      { is_causal: 1, q_num_heads: heads, kv_num_heads: keyHeads, left_window_size: window },
      { nodeName: `${name}.attention` },
    );
    const attended = builder.op('Add', [x, builder.op('MatMul', [mixed, this.#weight(`${name}.out`, [width, width])])]);
    const wide = builder.op('MatMul', [
      this.#normalized(attended, `${name}.norm2`),
      this.#weight(`${name}.up`, [width, 4 * width]),
    ]);
    const narrow = builder.op('MatMul', [builder.op('Gelu', [wide]), this.#weight(`${name}.down`, [4 * width, width])]);
    return builder.op('Add', [attended, narrow]);
  }

  /** Rotary position embedding by tables `[places, pairs]` and ids `[1, time]`, spread over the batch. */
  #turned(x: Value, heads: number, positions: Value): Value {
    const { positions: kind, context, width } = this.#options;
    if (kind !== 'rotary') return x;
    const builder = this.#builder;
    const pairs = width / this.#options.heads / 2;
    const angles = Float32Array.from({ length: context * pairs }, (_, index) => {
      return Math.floor(index / pairs) / 10_000 ** ((index % pairs) / pairs);
    });
    const table = (turn: (angle: number) => number): Value =>
      builder.constant(new Tensor('float32', [context, pairs], angles.map(turn)), { name: 'angles' });
    const extents = builder.op('Shape', [x], { start: 0, end: 2 });
    const ids = builder.op('Expand', [positions, extents]);
    return builder.op('RotaryEmbedding', [x, table(Math.cos), table(Math.sin), ids], { num_heads: heads });
  }

  #normalized(x: Value, name: string): Value {
    const scale = this.#weight(`${name}.scale`, [this.#options.width], 1);
    return this.#builder.op('LayerNormalization', [x, scale], { axis: -1 });
  }

  #weight(name: string, shape: readonly number[], spread = 2): Value {
    const seed = [...name].reduce((hash, letter) => Math.imul(hash, 31) + (letter.codePointAt(0) as number), 7);
    const count = shape.reduce((product, extent) => product * extent, 1);
    const scale = spread / Math.sqrt(shape[0] as number);
    const data = counterUniform(seed, 0, count).map((u) => (u - 0.5) * 2 * (shape.length === 1 ? spread : scale));
    const value = this.#builder.constant(new Tensor('float32', shape, data), { name });
    this.#parameters.push({ name, value, trainable: true, role: 'weight' });
    return value;
  }
}
