import { Tensor } from '@modelwright/core';

export const side = 28;
export const pixels = side * side;

/** Images `[count, 28, 28, 1]` in 0…1 and their labels. */
export interface Digits {
  readonly count: number;
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

/** Fetches digits as `digits-plugin.ts` packs them: a byte a label, then a byte a pixel. */
export async function fetchDigits(name: 'held-out' | 'training'): Promise<Digits> {
  const response = await fetch(`${import.meta.env.BASE_URL}digits/${name}.bin`);
  if (!response.ok) throw new RangeError(`digits/${name}.bin: the server answers ${response.status}`);
  return unpackDigits(new Uint8Array(await response.arrayBuffer()));
}

export function unpackDigits(bytes: Uint8Array): Digits {
  const count = bytes.length / (pixels + 1);
  return {
    count,
    labels: Int32Array.from(bytes.subarray(0, count)),
    images: Float32Array.from(bytes.subarray(count), (value) => value / 255),
  };
}

/** Some of the digits, by their numbers. */
export function pick({ images, labels }: Digits, chosen: readonly number[]): Digits {
  const picked = new Float32Array(chosen.length * pixels);
  chosen.forEach((index, row) => {
    picked.set(images.subarray(index * pixels, (index + 1) * pixels), row * pixels);
  });
  return { count: chosen.length, images: picked, labels: Int32Array.from(chosen, (index) => labels[index] as number) };
}

export function imagesOf({ count, images }: Digits): Tensor {
  return new Tensor('float32', [count, side, side, 1], images);
}

export function labelsOf({ count, labels }: Digits): Tensor {
  return new Tensor('int32', [count], labels);
}
