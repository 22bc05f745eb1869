import { writeFileSync } from 'node:fs';
import pngjs from 'pngjs';
import { type Digits, pixels } from './digits.js';

const scale = 3;
const cell = 28 * scale;
const margin = 4;
const captionHeight = 24;

/** 5×7 bitmaps of the ten digits, a row a number. */
const glyphs: readonly (readonly number[])[] = [
  [14, 17, 19, 21, 25, 17, 14],
  [4, 12, 4, 4, 4, 4, 14],
  [14, 17, 1, 2, 4, 8, 31],
  [31, 2, 4, 2, 1, 17, 14],
  [2, 6, 10, 18, 31, 2, 2],
  [31, 16, 30, 1, 1, 17, 14],
  [6, 8, 16, 30, 17, 17, 14],
  [31, 1, 2, 4, 8, 8, 8],
  [14, 17, 17, 14, 17, 17, 14],
  [14, 17, 17, 15, 1, 2, 12],
];

type Color = readonly [number, number, number];
const right: Color = [34, 139, 84];
const wrong: Color = [204, 51, 51];

/** Draws digits in a grid, each with its predicted label under it: green when right, red when wrong. */
export function drawPredictions(
  path: string,
  digits: Digits,
  shown: readonly { index: number; predicted: number }[],
): void {
  const columns = Math.min(10, shown.length);
  const rows = Math.ceil(shown.length / columns);
  const picture = new pngjs.PNG({
    width: columns * (cell + margin) + margin,
    height: rows * (cell + captionHeight + margin) + margin,
  });
  picture.data.fill(255);
  shown.forEach(({ index, predicted }, place) => {
    const left = margin + (place % columns) * (cell + margin);
    const top = margin + Math.floor(place / columns) * (cell + captionHeight + margin);
    drawDigit(picture, digits, index, [left, top]);
    drawGlyph(
      picture,
      predicted,
      [left + cell / 2 - 6, top + cell + 4],
      predicted === digits.labels[index] ? right : wrong,
    );
  });
  writeFileSync(path, pngjs.PNG.sync.write(picture));
}

function setPixel(picture: pngjs.PNG, x: number, y: number, color: Color): void {
  picture.data.set(color, (y * picture.width + x) * 4);
}

function drawDigit(picture: pngjs.PNG, digits: Digits, index: number, [left, top]: readonly [number, number]): void {
  for (let y = 0; y < cell; y++) {
    for (let x = 0; x < cell; x++) {
      const at = index * pixels + Math.floor(y / scale) * 28 + Math.floor(x / scale);
      const shade = 255 - Math.round(255 * (digits.images[at] as number));
      setPixel(picture, left + x, top + y, [shade, shade, shade]);
    }
  }
}

function drawGlyph(picture: pngjs.PNG, digit: number, [left, top]: readonly [number, number], color: Color): void {
  (glyphs[digit] ?? []).forEach((bits, row) => {
    for (let column = 0; column < 5; column++) {
      if (!(bits & (16 >> column))) continue;
      for (let dot = 0; dot < 4; dot++)
        setPixel(picture, left + column * 2 + (dot & 1), top + row * 2 + (dot >> 1), color);
    }
  });
}
