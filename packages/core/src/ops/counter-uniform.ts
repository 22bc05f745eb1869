import { modelwrightDomain, type Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo, reshapeTo } from '../graph/shape-ops.js';
import { isFloat } from '../tensor/dtype.js';
import { dtypeOfOnnx } from '../tensor/onnx-data-type.js';
import { elementCountOf, Tensor } from '../tensor/tensor.js';
import type { OpDefinition } from './definition.js';
import type { RandomAttributes } from './random.js';
import { exactly } from './rules.js';
import { requireDType } from './shape-inputs.js';

const golden = 0x9e3779b9;
const firstFactor = 0x21f0aaad;
const secondFactor = 0x735a2d97;

/** Scrambles 32 bits; each input bit flips each output bit with a chance of nearly ½. */
function mix(bits: number): number {
  let x = bits;
  x ^= x >>> 16;
  x = Math.imul(x, firstFactor);
  x ^= x >>> 15;
  x = Math.imul(x, secondFactor);
  x ^= x >>> 15;
  return x >>> 0;
}

/**
 * Uniform numbers in [0, 1), a pure function of seed, counter and index, in 32-bit integer arithmetic that every backend
 * reproduces bit for bit. All numbers are multiples of 2⁻²⁴, so float32 holds them exactly.
 *
 * `k = mix(mix(mix(seed) + low(counter)) ⊕ high(counter))`, `u[i] = ⌊mix(k + i·0x9E3779B9) / 2⁸⌋ · 2⁻²⁴`
 *
 * @param seed - Any integer; its low 32 bits count.
 * @param counter - What makes two draws differ, such as the training step; its low 64 bits count.
 * @param count - How many numbers.
 */
export function counterUniform(seed: number, counter: number | bigint, count: number): Float32Array {
  const key = counterKey(seed, BigInt(counter));
  const numbers = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    numbers[index] = (mix((key + Math.imul(index, golden)) >>> 0) >>> 8) * 2 ** -24;
  }
  return numbers;
}

function counterKey(seed: number, counter: bigint): number {
  const low = Number(BigInt.asUintN(32, counter));
  const high = Number(BigInt.asUintN(32, counter >> 32n));
  return mix((mix((mix(seedBits(seed)) + low) >>> 0) ^ high) >>> 0);
}

function seedBits(seed: number): number {
  return Number(BigInt.asUintN(32, BigInt(Math.trunc(seed))));
}

/** Uniform random numbers that depend on nothing but seed, counter and index. */
export const counterUniformOp: OpDefinition<RandomAttributes['CounterUniform']> = {
  domain: modelwrightDomain,
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: {
    seed: { kind: 'int', required: true },
    shape: { kind: 'ints', required: true },
    dtype: { kind: 'int', default: 1 },
  },
  infer: (context) => {
    requireDType(context, 0, ['int64'], 'the counter');
    const { shape, dtype: number } = context.attributes;
    const dtype = dtypeOfOnnx(number);
    if (!isFloat(dtype)) context.fail(`makes floats, not ${dtype}`, { given: dtype }, 'invalid-attribute');
    return [{ dtype, shape }];
  },
  gradient: 'not-differentiable',
  evaluate: (context) => {
    const { seed, shape } = context.attributes;
    const counter = context.input(0).data[0] as bigint;
    const numbers = Float64Array.from(counterUniform(seed, counter, elementCountOf(shape)));
    return [new Tensor('float64', shape, numbers)];
  },
  decompose: ({ builder, input, attributes }) => [decomposed(builder, input(0), attributes)],
};

/** The same numbers by int64 arithmetic modulo 2³², which keeps every product below 2⁶³. */
function decomposed(builder: GraphBuilder, counter: Value, attributes: RandomAttributes['CounterUniform']): Value {
  const { seed, shape, dtype } = attributes;
  const int64 = (number: number): Value => builder.scalar(number, 'int64');
  const low32 = (value: Value): Value => builder.op('BitwiseAnd', [value, int64(0xffffffff)]);
  const times = (value: Value, factor: number): Value => low32(builder.op('Mul', [value, int64(factor)]));
  const fold = (value: Value, bits: number): Value =>
    builder.op('BitwiseXor', [value, shiftedRight(builder, value, bits)]);
  const scramble = (value: Value): Value =>
    fold(times(fold(times(fold(value, 16), firstFactor), 15), secondFactor), 15);
  const flat = reshapeTo(builder, counter, []);
  const low = low32(flat);
  const high = low32(shiftedRight(builder, flat, 32));
  const seeded = low32(builder.op('Add', [low, int64(mix(seedBits(seed)))]));
  const key = scramble(builder.op('BitwiseXor', [scramble(seeded), high]));
  const count = elementCountOf(shape);
  const places = builder.op('Range', [int64(0), int64(count), int64(1)]);
  const bits = scramble(low32(builder.op('Add', [times(places, golden), key])));
  const float = castTo(builder, shiftedRight(builder, bits, 8), 'float32');
  const uniform = builder.op('Mul', [float, builder.scalar(2 ** -24, 'float32')]);
  return castTo(builder, reshapeTo(builder, uniform, shape), dtypeOfOnnx(dtype));
}

// ONNX shifts unsigned integers only.
function shiftedRight(builder: GraphBuilder, value: Value, bits: number): Value {
  const unsigned = castTo(builder, value, 'uint64');
  const shifted = builder.op('BitShift', [unsigned, builder.scalar(bits, 'uint64')], { direction: 'RIGHT' });
  return castTo(builder, shifted, 'int64');
}
