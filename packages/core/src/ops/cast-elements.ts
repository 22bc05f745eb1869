import { allocateData, type DType, isBigInt, isFloat, isInteger } from '../tensor/dtype.js';
import { castTensor, fromNumbers, Tensor } from '../tensor/tensor.js';

/**
 * ONNX's `Cast` as the reference evaluator does it: integers wrap exactly (int64 included), floats truncate toward zero,
 * text is read and written as ONNX spells numbers. A result of float32 stays float64: the oracle holds every floating
 * value that wide. float16 and bfloat16 round, since asking for them is asking for their precision.
 */
export function castElements(t: Tensor, dtype: DType): Tensor {
  if (t.dtype === dtype) return t;
  if (t.dtype === 'string') return fromText(t as Tensor<'string'>, dtype);
  if (dtype === 'string')
    return new Tensor('string', t.shape, Array.from(t.data as ArrayLike<number | bigint>, toText));
  if (dtype === 'float32') return castTensor(t, 'float64');
  if (isBigInt(t.dtype) && isInteger(dtype) && !dtype.endsWith('int4')) return wrapped(t, dtype);
  return castTensor(t, dtype);
}

/** int64 and uint64 to any whole-byte integer, modulo its width. */
function wrapped(t: Tensor, dtype: DType): Tensor {
  const data = allocateData(dtype, t.elementCount) as unknown as (number | bigint)[];
  const source = t.data as BigInt64Array;
  for (let index = 0; index < source.length; index++) {
    const value = source[index] as bigint;
    data[index] = isBigInt(dtype) ? value : Number(BigInt.asIntN(32, value));
  }
  return new Tensor(dtype, t.shape, data as never);
}

function toText(value: number | bigint): string {
  if (value === Number.POSITIVE_INFINITY) return 'INF';
  return value === Number.NEGATIVE_INFINITY ? '-INF' : String(value);
}

function fromText(t: Tensor<'string'>, dtype: DType): Tensor {
  if (isBigInt(dtype)) {
    const data = allocateData(dtype, t.elementCount) as BigInt64Array;
    t.data.forEach((text, index) => {
      data[index] = /^\s*[+-]?\d+\s*$/.test(text)
        ? BigInt(text.trim().replace(/^\+/, ''))
        : BigInt(Math.trunc(numberOf(text)));
    });
    return new Tensor(dtype, t.shape, data as never);
  }
  const numbers = Float64Array.from(t.data, numberOf);
  return isFloat(dtype) && dtype !== 'float16' && dtype !== 'bfloat16'
    ? new Tensor('float64', t.shape, numbers)
    : fromNumbers(dtype, t.shape, numbers);
}

function numberOf(text: string): number {
  const infinite = /^\s*([+-]?)inf(inity)?\s*$/i.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}
