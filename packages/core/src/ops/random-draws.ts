import { counterUniform } from './counter-uniform.js';

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** Seeds of ONNX are floats; their bits make the integer one. No seed: another one each time. */
function integerSeed(seed: number | undefined): number {
  if (seed === undefined) return Math.floor(Math.random() * 2 ** 32);
  float[0] = seed;
  return bits[0] as number;
}

/** `count` uniform numbers in [0, 1). */
export function drawUniform(seed: number | undefined, count: number): Float64Array {
  return Float64Array.from(counterUniform(integerSeed(seed), 0, count));
}

/** `count` standard normal numbers, by Box and Muller's transform. */
export function drawNormal(seed: number | undefined, count: number): Float64Array {
  const own = integerSeed(seed);
  const [radii, angles] = [counterUniform(own, 0, count), counterUniform(own, 1, count)];
  return Float64Array.from(radii, (u, index) => {
    const angle = 2 * Math.PI * (angles[index] as number);
    return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(angle);
  });
}
