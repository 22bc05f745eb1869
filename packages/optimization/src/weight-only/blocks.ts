/** A weight `[rows, columns]` with the numbers summed over in its columns, as 4- or 8-bit codes in blocks along them. */
export interface BlockedWeight {
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** `[rows, columns]`, one code a byte, `0 … 2^bits − 1`. */
  readonly codes: Uint8Array;
  /** `[rows, blocks]` */
  readonly scales: Float32Array;
  /** `[rows, blocks]`, the codes of zero; all in the middle of the range when {@link symmetric}. */
  readonly zeroPoints: Uint8Array;
  readonly symmetric: boolean;
}

/** How a block's scale is found: from its largest numbers, or as what gives the smallest squared error. */
export type ScaleChoice = 'range' | 'mse';

export interface BlockFormat {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  readonly symmetric: boolean;
  readonly scale: ScaleChoice;
}

/** Numbers `[rows, columns]` in row-major order. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** What turns a number into its code and back: `w ≈ (code − zeroPoint)·scale`. */
export interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Number of blocks of a row. */
export const blockCount = ({ columns, blockSize }: { readonly columns: number; readonly blockSize: number }): number =>
  Math.ceil(columns / blockSize);

/** The code next to `value`. */
export function codeOf(value: number, { scale, zeroPoint }: Grid, highest: number): number {
  return Math.max(0, Math.min(highest, Math.round(value / scale) + zeroPoint));
}

/**
 * Rounds each number to the nearest code of its block (round to nearest, RTN).
 *
 * `w ≈ (code − zeroPoint)·scale`, one scale for `blockSize` numbers of a row
 */
export function roundToNearest(weight: Matrix, format: BlockFormat): BlockedWeight {
  const blocked = emptyBlocks(weight, format);
  forEachBlock(blocked, (row, block, from, to) => {
    const grid = gridOf(weight.data.subarray(from, to), format);
    setGrid(blocked, row, block, grid);
    const highest = 2 ** format.bits - 1;
    for (let at = from; at < to; at++) blocked.codes[at] = codeOf(weight.data[at] as number, grid, highest);
  });
  return blocked;
}

/** A weight of zeros, to be filled. */
export function emptyBlocks({ rows, columns }: Matrix, { bits, blockSize, symmetric }: BlockFormat): BlockedWeight {
  const count = rows * blockCount({ columns, blockSize });
  const zeroPoints = new Uint8Array(count).fill(2 ** (bits - 1));
  const scales = new Float32Array(count).fill(1);
  return { rows, columns, bits, blockSize, symmetric, codes: new Uint8Array(rows * columns), scales, zeroPoints };
}

/** Calls `visit` for each block with the flat range of its numbers. */
export function forEachBlock(
  weight: Pick<BlockedWeight, 'rows' | 'columns' | 'blockSize'>,
  visit: (row: number, block: number, from: number, to: number) => void,
): void {
  const { rows, columns, blockSize } = weight;
  for (let row = 0; row < rows; row++) {
    for (let block = 0, first = 0; first < columns; block++, first += blockSize) {
      visit(row, block, row * columns + first, row * columns + Math.min(columns, first + blockSize));
    }
  }
}

/** Writes the grid of a block into a weight. */
export function setGrid(weight: BlockedWeight, row: number, block: number, { scale, zeroPoint }: Grid): void {
  const at = row * blockCount(weight) + block;
  weight.scales[at] = scale;
  weight.zeroPoints[at] = zeroPoint;
}

/** What the codes stand for, `[rows, columns]`. */
export function fromBlocks(weight: BlockedWeight): Matrix {
  const { rows, columns, codes, scales, zeroPoints } = weight;
  const data = new Float64Array(rows * columns);
  const blocks = blockCount(weight);
  forEachBlock(weight, (row, block, from, to) => {
    const [scale, zeroPoint] = [scales[row * blocks + block] as number, zeroPoints[row * blocks + block] as number];
    for (let at = from; at < to; at++) data[at] = ((codes[at] as number) - zeroPoint) * scale;
  });
  return { rows, columns, data };
}

/** The grid of a block of numbers. Zero is always one of its points, so that pruned weights stay zero. */
export function gridOf(numbers: Float64Array, format: Omit<BlockFormat, 'blockSize'>): Grid {
  const { low, high } = extentOf(numbers);
  // A block of zeros: any scale does.
  if (low === 0 && high === 0) return { scale: 1, zeroPoint: 2 ** (format.bits - 1) };
  const whole = gridBetween(low, high, format);
  return format.scale === 'range' ? whole : leastError(numbers, { low, high, whole }, format);
}

function extentOf(numbers: Float64Array): { readonly low: number; readonly high: number } {
  let [low, high] = [0, 0];
  for (const value of numbers) {
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  return { low, high };
}

// The scale is rounded as it will be stored: codes must be the nearest for that one. The smallest normal number keeps it from being 0.
const storedScale = (scale: number): number =>
  Math.fround(Math.abs(scale) < 2 ** -126 ? Math.sign(scale) * 2 ** -126 : scale);

function gridBetween(low: number, high: number, { bits, symmetric }: Pick<BlockFormat, 'bits' | 'symmetric'>): Grid {
  const middle = 2 ** (bits - 1);
  if (symmetric) {
    // There is one code more below zero: the number farthest from zero takes it, whatever its sign.
    const farthest = -low > high ? low : high;
    return { scale: storedScale(-farthest / middle), zeroPoint: middle };
  }
  const highest = 2 ** bits - 1;
  const scale = storedScale((high - low) / highest);
  return { scale, zeroPoint: Math.max(0, Math.min(highest, Math.round(-low / scale))) };
}

const shrinkSteps = 20;
const smallestShare = 0.6;

/** The best of ranges between a good half and all of the block's own, by squared error. */
function leastError(
  numbers: Float64Array,
  { low, high, whole }: { readonly low: number; readonly high: number; readonly whole: Grid },
  format: Pick<BlockFormat, 'bits' | 'symmetric'>,
): Grid {
  let best = whole;
  let least = squaredError(numbers, whole, format.bits, Number.POSITIVE_INFINITY);
  const tryGrid = (grid: Grid): void => {
    const error = squaredError(numbers, grid, format.bits, least);
    if (error < least) [best, least] = [grid, error];
  };
  for (let step = 0; step < shrinkSteps; step++) {
    const share = 1 - ((1 - smallestShare) * step) / shrinkSteps;
    const grid = gridBetween(low * share, high * share, format);
    tryGrid(grid);
    // Of a symmetric grid either side may have the code more.
    if (format.symmetric) tryGrid({ ...grid, scale: -grid.scale });
  }
  return best;
}

/** `Σ (w − ŵ)²`, or as much of it as is known when it passes `limit`. */
function squaredError(numbers: Float64Array, { scale, zeroPoint }: Grid, bits: number, limit: number): number {
  const [lowest, highest] = [-zeroPoint, 2 ** bits - 1 - zeroPoint];
  let sum = 0;
  for (let at = 0; at < numbers.length && sum <= limit; at++) {
    const value = numbers[at] as number;
    const step = Math.max(lowest, Math.min(highest, Math.round(value / scale)));
    sum += (value - step * scale) ** 2;
  }
  return sum;
}
