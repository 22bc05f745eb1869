import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { allocateData, isBigInt, isFloat } from '../tensor/dtype.js';
import { onnxDataType } from '../tensor/onnx-data-type.js';
import { broadcastShapes } from '../tensor/shape.js';
import { castTensor, elementCountOf, Tensor, toNumbers } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import { applyBroadcast } from './arithmetic.js';
import type { GradientContext, NoAttributes } from './definition.js';
import { mapBinary } from './rules.js';

/** `xᵖ` in the base's dtype. Integer powers of integers are exact modulo 2ⁿ; a fractional exponent goes through float64. */
export function powerTensor(base: Tensor, exponent: Tensor): Tensor {
  if (isFloat(base.dtype) || isFloat(exponent.dtype)) return mapBinary(base, exponent, power, base.dtype);
  const [x, y] = [castTensor(base, 'int64'), castTensor(exponent, 'int64')];
  const shape = broadcastShapes(base.shape, exponent.shape) as readonly number[];
  const data = allocateData('int64', elementCountOf(shape));
  applyBroadcast<bigint, bigint>({ a: x, b: y, shape, x: x.data, y: y.data, data }, integerPower);
  const result = new Tensor('int64', shape, data);
  return isBigInt(base.dtype) ? castTensor(result, base.dtype) : narrow(result, base);
}

// Through the typed array's own wrap-around: a float64 between would lose the low bits.
function narrow(result: Tensor<'int64'>, like: Tensor): Tensor {
  const data = allocateData(like.dtype, result.elementCount) as Int32Array;
  for (let i = 0; i < data.length; i++) data[i] = Number(BigInt.asIntN(32, result.data[i] as bigint));
  return new Tensor(like.dtype, result.shape, data);
}

function integerPower(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) return base === 1n ? 1n : base === -1n ? (exponent % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = BigInt.asIntN(64, result * square);
    square = BigInt.asIntN(64, square * square);
  }
  return result;
}

/** IEEE's `pow`, which JavaScript departs from: 1 to any power, and ±1 to an infinite one, are 1. */
function power(x: number, p: number): number {
  if (x === 1 || (x === -1 && Math.abs(p) === Number.POSITIVE_INFINITY)) return 1;
  return x ** p;
}

/** Cotangents of `Pow`: `dx = p·xᵖ⁻¹·dy`, `dp = xᵖ·ln(x)·dy`; where `p = 0` there is no `dx`, where `x = 0` no `dp`. */
export function powerGradient(context: GradientContext<NoAttributes>): readonly (Value | undefined)[] {
  const { builder, outputs, outputGradient: dy, needs } = context;
  const f = new Algebra(builder);
  const x = context.input(0);
  const p = castLike(builder, context.input(1), x);
  const dx = needs(0) ? f.mul(dy, slope(f, x, p)) : undefined;
  if (!needs(1)) return [dx];
  const isZero = f.equal(x, 0);
  const dp = f.mul(dy, f.mul(outputs[0] as Value, f.log(f.where(isZero, 1, x))));
  return [dx, castLike(builder, dp, context.input(1))];
}

function slope(f: Algebra, x: Value, p: Value): Value {
  const held = f.builder.constantOf(p);
  const exponent = held?.elementCount === 1 && held.rank === 0 ? toNumbers(held)[0] : undefined;
  if (exponent === 2) return f.mul(x, 2);
  if (exponent !== undefined && exponent !== 0) return f.mul(f.pow(x, exponent - 1), exponent);
  // Without the detour 0⁻¹·0 would be NaN.
  const isZero = f.equal(p, 0);
  return f.mul(p, f.pow(f.where(isZero, 1, x), f.sub(p, 1)));
}

function castLike(builder: GraphBuilder, value: Value, like: Value): Value {
  return value.dtype === like.dtype ? value : builder.op('Cast', [value], { to: onnxDataType(like.dtype) });
}
