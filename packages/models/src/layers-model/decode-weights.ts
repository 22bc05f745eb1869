import { castTensor, elementCountOf, fromFloat16Bits, ModelwrightError, Tensor } from '@modelwright/core';
import type { WeightGroup, WeightQuantization, WeightSpec } from './artifacts.js';

/** A weight of a LayersModel, in Keras's layout. */
export interface NamedWeight {
  /** `conv2d_1/kernel` */
  readonly name: string;
  readonly tensor: Tensor;
}

/**
 * The weights of all groups, as numbers: quantized ones are expanded, as TensorFlow.js does.
 *
 * @throws {@link ModelwrightError} `unsupported-dtype` naming the weight, `invalid-data` when the bytes are too few or too many.
 */
export function decodeWeights(groups: readonly WeightGroup[]): readonly NamedWeight[] {
  return groups.flatMap(({ specs, bytes }) => {
    let at = 0;
    const weights = specs.map((spec): NamedWeight => {
      const count = elementCountOf(spec.shape);
      const end = at + count * sizeOf(spec);
      if (end > bytes.length) throw wrongLength(end, bytes.length, `weight '${spec.name}'`);
      // A copy of its own, for any start; `slice` of Node's buffers is none.
      const part = new Uint8Array(bytes.subarray(at, end));
      at = end;
      return { name: spec.name, tensor: decode(spec, part.buffer) };
    });
    if (at !== bytes.length) throw wrongLength(at, bytes.length, 'all weights together');
    return weights;
  });
}

function sizeOf({ name, dtype, quantization }: WeightSpec): number {
  const size = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 }[quantization?.dtype ?? dtype];
  if (size !== undefined) return size;
  const given = quantization?.dtype ?? dtype;
  throw new ModelwrightError('unsupported-dtype', `weight '${name}' is stored as ${given}`, {
    given,
    allowed: ['float32', 'int32', 'bool', 'uint8', 'uint16', 'float16'],
  });
}

function decode({ name, shape, dtype, quantization }: WeightSpec, buffer: ArrayBuffer): Tensor {
  if (quantization !== undefined) {
    const values = new Tensor('float32', shape, expand(name, quantization, buffer));
    return dtype === 'int32' ? castTensor(values, 'int32') : values;
  }
  if (dtype === 'int32') return new Tensor('int32', shape, new Int32Array(buffer));
  if (dtype === 'bool') return new Tensor('bool', shape, new Uint8Array(buffer));
  if (dtype === 'float16') return new Tensor('float16', shape, new Uint16Array(buffer));
  return new Tensor('float32', shape, new Float32Array(buffer));
}

function expand(name: string, { dtype, scale, min }: WeightQuantization, buffer: ArrayBuffer): Float32Array {
  // Plain loops: `Float32Array.from` takes ten times as long, and there are millions.
  if (dtype === 'float16') return fromHalves(new Uint16Array(buffer));
  if (scale === undefined || min === undefined) {
    throw new ModelwrightError('invalid-data', `weight '${name}' is quantized, but its scale or minimum is missing`, {
      given: { scale, min },
    });
  }
  const steps = dtype === 'uint8' ? new Uint8Array(buffer) : new Uint16Array(buffer);
  const values = new Float32Array(steps.length);
  for (let index = 0; index < steps.length; index++) values[index] = (steps[index] as number) * scale + min;
  return values;
}

function fromHalves(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  for (let index = 0; index < halves.length; index++) values[index] = fromFloat16Bits(halves[index] as number);
  return values;
}

function wrongLength(expected: number, given: number, what: string): ModelwrightError {
  return new ModelwrightError(
    'invalid-data',
    `the shards have ${given} bytes, but ${what} ${given < expected ? `would end at ${expected}` : `take ${expected}`}`,
    { given, allowed: expected },
  );
}
