import { writeFileSync } from 'node:fs';
import type { Tensor } from '@modelwright/core';
import pngjs from 'pngjs';
import { side } from './digits.js';

/** Images `[count, 28, 28, 1]` in −1 … 1 as one picture: so many a row. */
export function writePicture(path: string, images: Tensor, columns: number): void {
  const [scale, margin] = [2, 4];
  const cell = side * scale + margin;
  const rows = Math.ceil((images.shape[0] as number) / columns);
  const picture = new pngjs.PNG({ width: columns * cell + margin, height: rows * cell + margin });
  picture.data.fill(255);
  forEachPixel(images, ({ image, x, y, ink }) => {
    const left = margin + (image % columns) * cell + x * scale;
    const top = margin + Math.floor(image / columns) * cell + y * scale;
    const shade = Math.round(255 * (1 - ink));
    for (let dot = 0; dot < scale * scale; dot++) {
      const at = (top + Math.floor(dot / scale)) * picture.width + left + (dot % scale);
      picture.data.set([shade, shade, shade], at * 4);
    }
  });
  writeFileSync(path, pngjs.PNG.sync.write(picture));
}

const shades = ' .:-=+*#%@';

/** The first `count` images side by side in letters, two rows of pixels a line. */
export function toText(images: Tensor, count: number): string {
  const lines = Array.from({ length: side / 2 }, () => new Array<string>(count * (side + 1)).fill(' '));
  forEachPixel(images, ({ image, x, y, ink }) => {
    if (image >= count || y % 2 === 1) return;
    const shade = shades[Math.min(shades.length - 1, Math.floor(ink * shades.length))] as string;
    (lines[y / 2] as string[])[image * (side + 1) + x] = shade;
  });
  return lines.map((line) => line.join('').trimEnd()).join('\n');
}

interface Pixel {
  readonly image: number;
  readonly x: number;
  readonly y: number;
  /** 0 (paper) … 1. */
  readonly ink: number;
}

function forEachPixel({ data }: Tensor, visit: (pixel: Pixel) => void): void {
  (data as Float32Array).forEach((value, index) => {
    const place = index % (side * side);
    visit({
      image: Math.floor(index / (side * side)),
      x: place % side,
      y: Math.floor(place / side),
      ink: (value + 1) / 2,
    });
  });
}
