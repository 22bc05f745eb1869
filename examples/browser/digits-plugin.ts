import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { type Digits, loadDigits } from '../quickstart/src/digits.js';

const trainingDigits = 2_000;

/**
 * Puts the digits of the quickstart where the page can fetch them, a byte a pixel: `held-out.bin` (2,000 that the committed
 * network has never seen) and `training.bin` (2,000 to learn from in the page).
 */
export function digits(): Plugin {
  let folder = '';
  return {
    name: 'digits',
    configResolved({ publicDir }) {
      folder = join(publicDir, 'digits');
    },
    buildStart() {
      writeDigits(folder);
    },
  };
}

/** Writes the two files into a folder, unless they are there. */
export function writeDigits(folder: string): void {
  if (existsSync(join(folder, 'training.bin'))) return;
  mkdirSync(folder, { recursive: true });
  const { train, test } = loadDigits();
  write(join(folder, 'held-out.bin'), packed(test, test.count));
  write(join(folder, 'training.bin'), packed(train, trainingDigits));
}

// Two builds may run at once: neither may see half a file of the other.
function write(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, bytes);
  renameSync(temporary, path);
}

// Labels first, then the images. The data set's three decimals are rounded bytes, so this is what was scanned.
function packed({ images, labels }: Digits, count: number): Uint8Array {
  const bytes = new Uint8Array(count * (28 * 28 + 1));
  bytes.set(labels.subarray(0, count));
  bytes.set(
    Uint8Array.from(images.subarray(0, count * 28 * 28), (value) => Math.round(value * 255)),
    count,
  );
  return bytes;
}
