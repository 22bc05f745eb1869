/// <reference lib="dom" />
import type { SheetColours } from './drawing-pad.js';

/** Of 28 pixels a digit of the usual data sets fills 20. */
const share = 20 / 28;
const leastInk = 0.05;

interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A drawing as data sets of single signs have them: scaled to the same size, its centre of mass in the middle.
 *
 * @returns a sheet of the same size and colours.
 */
export function centreDrawing(drawing: HTMLCanvasElement, colours: SheetColours): HTMLCanvasElement {
  const ink = inkOf(drawing, colours);
  const bounds = inkBounds(ink, drawing.width);
  if (bounds === undefined) return drawing;
  const sheet = document.createElement('canvas');
  Object.assign(sheet, { width: drawing.width, height: drawing.height });
  const context = sheet.getContext('2d') as CanvasRenderingContext2D;
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingQuality = 'high';
  const scale = (share * sheet.width) / Math.max(bounds.width, bounds.height);
  const [x, y] = centreOfMass(ink, drawing.width);
  const [left, top] = [sheet.width / 2 + (bounds.left - x) * scale, sheet.height / 2 + (bounds.top - y) * scale];
  const { width, height } = bounds;
  context.drawImage(drawing, bounds.left, bounds.top, width, height, left, top, width * scale, height * scale);
  return sheet;
}

/** How much ink there is at each place, 0…1. */
function inkOf(drawing: HTMLCanvasElement, { paper }: SheetColours): Float32Array {
  const context = drawing.getContext('2d') as CanvasRenderingContext2D;
  const { data } = context.getImageData(0, 0, drawing.width, drawing.height);
  const isDark = paper === '#000000';
  return Float32Array.from({ length: drawing.width * drawing.height }, (_, index) => {
    const light = (data[4 * index] as number) / 255;
    return isDark ? light : 1 - light;
  });
}

function inkBounds(ink: Float32Array, columns: number): Bounds | undefined {
  let [left, top, right, bottom] = [columns, Number.POSITIVE_INFINITY, -1, -1];
  ink.forEach((value, index) => {
    if (value < leastInk) return;
    const [x, y] = [index % columns, Math.floor(index / columns)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function centreOfMass(ink: Float32Array, columns: number): readonly [number, number] {
  let [mass, x, y] = [0, 0, 0];
  ink.forEach((value, index) => {
    mass += value;
    x += value * (index % columns);
    y += value * Math.floor(index / columns);
  });
  return [x / mass, y / mass];
}
