import { pixels, side } from './digits.js';

const box = 20;
const leastInk = 0.05;

interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A drawing as the data set has its digits: scaled into a box of 20 × 20, its centre of mass in the middle of 28 × 28.
 *
 * @param drawing - Opaque where there is ink.
 * @returns `[28 · 28]` in 0…1; undefined for an empty sheet.
 */
export function normalizeDigit(drawing: HTMLCanvasElement): Float32Array | undefined {
  const bounds = inkBounds(drawing);
  if (bounds === undefined) return undefined;
  const scale = box / Math.max(bounds.width, bounds.height);
  const [width, height] = [Math.max(1, bounds.width * scale), Math.max(1, bounds.height * scale)];
  const sheet = new OffscreenCanvas(side, side);
  const context = sheet.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  const draw = (left: number, top: number): Float32Array => {
    context.clearRect(0, 0, side, side);
    context.imageSmoothingQuality = 'high';
    context.drawImage(drawing, bounds.left, bounds.top, bounds.width, bounds.height, left, top, width, height);
    const { data } = context.getImageData(0, 0, side, side);
    return Float32Array.from({ length: pixels }, (_, index) => (data[index * 4 + 3] as number) / 255);
  };
  const [left, top] = [(side - width) / 2, (side - height) / 2];
  const [centreX, centreY] = centreOfMass(draw(left, top));
  const middle = (side - 1) / 2;
  return draw(Math.round(left + middle - centreX), Math.round(top + middle - centreY));
}

function inkBounds(drawing: HTMLCanvasElement): Bounds | undefined {
  const { width, height } = drawing;
  const { data } = (drawing.getContext('2d') as CanvasRenderingContext2D).getImageData(0, 0, width, height);
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data[(y * width + x) * 4 + 3] as number) < leastInk * 255) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function centreOfMass(image: Float32Array): readonly [number, number] {
  let [mass, x, y] = [0, 0, 0];
  image.forEach((value, index) => {
    mass += value;
    x += value * (index % side);
    y += value * Math.floor(index / side);
  });
  return [x / mass, y / mass];
}
