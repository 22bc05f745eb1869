import type { Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { reshapeTo, zerosOf } from '../graph/shape-ops.js';
import { compatibleDimension, concreteShape, formatShape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import type { AttentionAttributes } from './attention.js';
import type { DecomposeContext, EvaluateContext, GradientContext, InferContext, OpDefinition } from './definition.js';
import { between, exactly, requireDType, requireFloat, requireRank, requireSameDType } from './rules.js';

type Attributes = AttentionAttributes['RotaryEmbedding'];

/**
 * `(x, cos, sin, positions?)`: turns each pair of features by the angle of its position,
 * `(a, b) → (a·cos − b·sin, a·sin + b·cos)`. With positions the caches are `[places, pairs]`, else `[batch, time, pairs]`.
 *
 * @see Su et al., arXiv:2104.09864.
 */
export const rotaryEmbedding: OpDefinition<Attributes> = {
  inputs: between(3, 4),
  outputs: exactly(1),
  attributes: {
    interleaved: { kind: 'int', default: 0 },
    num_heads: { kind: 'int' },
    rotary_embedding_dim: { kind: 'int', default: 0 },
  },
  infer: inferRotary,
  gradient: rotaryGradient,
  evaluate: evaluateRotary,
  decompose: (context) => [turned(context, turnOf(context))],
};

function inferRotary(context: InferContext<Attributes>): readonly ValueType[] {
  requireFloat(context, 0);
  const { dtype, shape } = context.input(0);
  if (shape.length !== 3) requireRank(context, 0, 4);
  const { attributes } = context;
  const heads = attributes.num_heads ?? 0;
  if (shape.length === 3 && heads < 1) {
    context.fail("an input of rank 3 needs attribute 'num_heads'", { given: heads }, 'invalid-attribute');
  }
  const features = shape.at(-1);
  if (typeof features !== 'number') {
    return context.fail(
      `input has shape ${formatShape(shape)}; its features must be known`,
      { given: shape },
      'unsupported-shape',
    );
  }
  const size = shape.length === 3 ? features / heads : features;
  const turning = attributes.rotary_embedding_dim || size;
  if (!Number.isInteger(size) || turning > size || turning % 2 !== 0) {
    context.fail(
      `${turning} of ${size} features a head cannot be turned in pairs`,
      { given: turning, allowed: `an even number up to ${size}` },
      'invalid-attribute',
    );
  }
  checkCaches(context, turning / 2);
  return [{ dtype, shape }];
}

function checkCaches(context: InferContext<Attributes>, pairs: number): void {
  const positions = context.inputs[3];
  if (positions !== undefined) {
    requireDType(context, 3, 'int64');
    requireRank(context, 3, 2, 'position_ids');
  }
  for (const index of [1, 2]) {
    requireSameDType(context, 0, index);
    requireRank(context, index, positions === undefined ? 3 : 2, index === 1 ? 'cos_cache' : 'sin_cache');
    const { shape } = context.input(index);
    if (compatibleDimension(shape.at(-1) ?? 0, pairs)) continue;
    context.fail(`cache ${formatShape(shape)} has ${shape.at(-1)} angles; ${pairs} pairs turn`, {
      given: shape,
      allowed: pairs,
    });
  }
}

interface Turn {
  readonly cos: Value;
  readonly sin: Value;
}

type Context = Pick<DecomposeContext<Attributes>, 'builder' | 'inputs' | 'attributes' | 'input'>;

/** Cosines and sines of each place, broadcasting to the pairs of the input: `[batch, time, 1, pairs]` or `[batch, 1, time, pairs]`. */
function turnOf({ builder, input, inputs }: Context): Turn {
  const axis = input(0).shape.length === 3 ? 2 : 1;
  const at = (index: number): Value => {
    const cache = input(index);
    const rows = inputs[3] === undefined ? cache : builder.op('Gather', [cache, inputs[3]], { axis: 0 });
    return builder.op('Unsqueeze', [rows, builder.integers([axis])]);
  };
  return { cos: at(1), sin: at(2) };
}

interface Layout {
  /** Features a head. */
  readonly size: number;
  /** Features that turn. */
  readonly turning: number;
  readonly isFlat: boolean;
}

function layoutOf({ shape }: { readonly shape: readonly (number | string)[] }, attributes: Attributes): Layout {
  const isFlat = shape.length === 3;
  const size = Number(shape.at(-1)) / (isFlat ? (attributes.num_heads as number) : 1);
  return { size, turning: attributes.rotary_embedding_dim || size, isFlat };
}

/** The parts of an input whose last axis is that of one head: both members of each pair, and what stays. */
function partsOf({ builder, attributes }: Context, x: Value): { a: Value; b: Value; rest: Value | undefined } {
  const { size, turning, isFlat } = layoutOf(x, attributes);
  const byHead = isFlat
    ? builder.op('Reshape', [x, builder.integers([0, 0, attributes.num_heads as number, size])])
    : x;
  const half = turning / 2;
  if (attributes.interleaved === 1) {
    const pick = (start: number): Value =>
      builder.op('Slice', [byHead, ...[[start], [turning], [3], [2]].map((list) => builder.integers(list))]);
    const rest =
      turning === size
        ? undefined
        : builder.op('Slice', [byHead, ...[[turning], [size], [3]].map((list) => builder.integers(list))]);
    return { a: pick(0), b: pick(1), rest };
  }
  const sizes = [half, half, ...(turning === size ? [] : [size - turning])];
  const [a, b, rest] = builder.node('Split', [byHead, builder.integers(sizes)], { axis: 3 }, { outputs: sizes.length });
  return { a: a as Value, b: b as Value, rest };
}

function turned(context: Context, { cos, sin }: Turn): Value {
  const { builder, input, attributes } = context;
  const x = input(0);
  const f = new Algebra(builder);
  const { a, b, rest } = partsOf(context, x);
  const real = f.sub(f.mul(a, cos), f.mul(b, sin));
  const imaginary = f.add(f.mul(a, sin), f.mul(b, cos));
  const { turning, isFlat } = layoutOf(x, attributes);
  const pairs = attributes.interleaved === 1 ? interleave(builder, real, imaginary, turning) : [real, imaginary];
  const parts = rest === undefined ? pairs : [...pairs, rest];
  const y = parts.length === 1 ? (parts[0] as Value) : builder.op('Concat', parts, { axis: 3 });
  return isFlat ? builder.op('Reshape', [y, builder.integers([0, 0, Number(x.shape[2])])]) : y;
}

function interleave(builder: GraphBuilder, a: Value, b: Value, count: number): Value[] {
  const [left, right] = [a, b].map((x) => builder.op('Unsqueeze', [x, builder.integers([4])])) as [Value, Value];
  const pairs = builder.op('Concat', [left, right], { axis: 4 });
  return [builder.op('Reshape', [pairs, builder.integers([0, 0, 0, count])])];
}

// Turning back: dx = RotaryEmbedding(dy, cos, −sin). dcos = Σ_heads da·a + db·b, dsin = Σ_heads db·a − da·b
function rotaryGradient(context: GradientContext<Attributes>): readonly (Value | undefined)[] {
  const { builder, input, inputs, attributes, needs, outputGradient: dy } = context;
  const f = new Algebra(builder);
  const dx = needs(0)
    ? builder.op('RotaryEmbedding', [dy, input(1), f.neg(input(2)), inputs[3]], attributes)
    : undefined;
  if (!needs(1) && !needs(2)) return [dx];
  const [x, d] = [partsOf(context, input(0)), partsOf(context, dy)];
  const dcos = f.add(f.mul(d.a, x.a), f.mul(d.b, x.b));
  const dsin = f.sub(f.mul(d.b, x.a), f.mul(d.a, x.b));
  return [dx, ...[dcos, dsin].map((gradient, at) => cacheGradient(context, gradient, input(at + 1)))];
}

function cacheGradient({ builder, input, inputs }: GradientContext<Attributes>, gradient: Value, cache: Value): Value {
  const heads = input(0).shape.length === 3 ? 2 : 1;
  const rows = builder.op('ReduceSum', [gradient, builder.integers([heads])], { keepdims: 0 });
  const shape = concreteShape(cache.shape, 'the cache');
  if (inputs[3] === undefined) return reshapeTo(builder, rows, shape);
  const places = builder.op('Unsqueeze', [inputs[3], builder.integers([2])]);
  return builder.op('ScatterND', [zerosOf(builder, cache.dtype, shape), places, rows], { reduction: 'add' });
}

function evaluateRotary(context: EvaluateContext<Attributes>): readonly Tensor[] {
  const { attributes, inputs, input } = context;
  const x = input(0);
  const { size, turning, isFlat } = layoutOf(x, attributes);
  const [values, cos, sin] = [0, 1, 2].map((index) => toNumbers(input(index))) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const positions = inputs[3] === undefined ? undefined : toNumbers(inputs[3]);
  const [heads, time] = isFlat
    ? [attributes.num_heads as number, x.shape[1] as number]
    : [x.shape[1] as number, x.shape[2] as number];
  const y = values.slice();
  const pairs = turning / 2;
  for (let row = 0; row < values.length / size; row++) {
    const sample = Math.floor(row / (heads * time));
    const step = isFlat ? Math.floor(row / heads) % time : row % time;
    const place = sample * time + step;
    const angles = (positions === undefined ? place : (positions[place] as number)) * pairs;
    for (let pair = 0; pair < pairs; pair++) {
      const first = row * size + (attributes.interleaved === 1 ? 2 * pair : pair);
      const second = attributes.interleaved === 1 ? first + 1 : first + pairs;
      const [a, b] = [values[first] as number, values[second] as number];
      const [c, s] = [cos[angles + pair] as number, sin[angles + pair] as number];
      y[first] = a * c - b * s;
      y[second] = a * s + b * c;
    }
  }
  return [fromNumbers(x.dtype, x.shape, y)];
}
