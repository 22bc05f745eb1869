import {
  type BlockedWeight,
  type BlockFormat,
  codeOf,
  emptyBlocks,
  type Grid,
  gridOf,
  type Matrix,
  setGrid,
} from './blocks.js';
import { invertPositiveDefinite, type SquareMatrix, upperCholesky } from './cholesky.js';

export interface GptqOptions {
  /** Share of the mean diagonal of the Hessian that is added to it. Default 0.01. */
  readonly damping?: number;
  /**
   * Quantize the columns of the largest activations first, while all others can still make up for them. Blocks then take
   * their scales from the weight as it is; without it, from what corrections have made of it. Default true.
   */
  readonly activationOrder?: boolean;
}

/**
 * Quantizes column after column and lets the columns still to come make up for the error, as the activations seen in
 * calibration weigh it.
 *
 * `δ = −(w_q − quant(w_q)) / [H⁻¹]_qq · (H⁻¹)_{q,:}` with `H = XᵀX + λ·I`, λ a share of the mean diagonal
 *
 * The rows do not touch each other, so each is done alone and at once; the batches of columns in the paper only serve a GPU's memory.
 *
 * @param weight - `[outputs, inputs]`.
 * @param hessian - `XᵀX`, `[inputs, inputs]`; a factor does not matter.
 * @see Frantar et al., GPTQ, arXiv:2210.17323, algorithm 1.
 */
export function gptq(
  weight: Matrix,
  hessian: SquareMatrix,
  { format, damping = 0.01, activationOrder = true }: GptqOptions & { readonly format: BlockFormat },
): BlockedWeight {
  const { rows, columns } = weight;
  const order = activationOrder ? byActivation(hessian) : Uint32Array.from({ length: columns }, (_, at) => at);
  const target = emptyBlocks(weight, format);
  const sweep: Sweep = { format, order, activationOrder, target, factors: factorsOf(hessian, order, damping).data };
  for (let row = 0; row < rows; row++)
    quantizeRow(sweep, row, weight.data.subarray(row * columns, (row + 1) * columns));
  return target;
}

interface Sweep {
  readonly format: BlockFormat;
  /** Columns in the order in which they are quantized. */
  readonly order: Uint32Array;
  readonly activationOrder: boolean;
  /** `U` with `H⁻¹ = Uᵀ·U`, in that order. */
  readonly factors: Float64Array;
  readonly target: BlockedWeight;
}

function byActivation({ order, data }: SquareMatrix): Uint32Array {
  const diagonal = Float64Array.from({ length: order }, (_, at) => data[at * order + at] as number);
  return Uint32Array.from({ length: order }, (_, at) => at).sort(
    (a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b,
  );
}

function factorsOf({ order: size, data }: SquareMatrix, order: Uint32Array, damping: number): SquareMatrix {
  let trace = 0;
  for (let at = 0; at < size; at++) trace += data[at * size + at] as number;
  const added = trace === 0 ? 1 : (damping * trace) / size;
  const damped = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = (order[i] as number) * size;
    for (let j = 0; j < size; j++) damped[i * size + j] = data[row + (order[j] as number)] as number;
    damped[i * size + i] = (damped[i * size + i] as number) + added;
  }
  return upperCholesky(invertPositiveDefinite({ order: size, data: damped }));
}

function quantizeRow(sweep: Sweep, row: number, weights: Float64Array): void {
  const { format, order, factors, target } = sweep;
  const columns = weights.length;
  const highest = 2 ** format.bits - 1;
  // What is left to do, in the order of the sweep.
  const left = Float64Array.from(order, (column) => weights[column] as number);
  const grids = new BlockGrids(sweep, row, weights, left);
  for (let step = 0; step < columns; step++) {
    const column = order[step] as number;
    const grid = grids.of(column);
    const value = left[step] as number;
    const code = codeOf(value, grid, highest);
    target.codes[row * columns + column] = code;
    const factorsAt = step * columns;
    const error = (value - (code - grid.zeroPoint) * grid.scale) / (factors[factorsAt + step] as number);
    for (let next = step + 1; next < columns; next++)
      left[next] = (left[next] as number) - error * (factors[factorsAt + next] as number);
  }
}

/** The grids of one row's blocks, each made when its first column comes. */
class BlockGrids {
  readonly #sweep: Sweep;
  readonly #row: number;
  readonly #weights: Float64Array;
  readonly #left: Float64Array;
  readonly #grids: (Grid | undefined)[] = [];

  constructor(sweep: Sweep, row: number, weights: Float64Array, left: Float64Array) {
    this.#sweep = sweep;
    this.#row = row;
    this.#weights = weights;
    this.#left = left;
  }

  of(column: number): Grid {
    const { format, activationOrder, target } = this.#sweep;
    const block = Math.floor(column / format.blockSize);
    const known = this.#grids[block];
    if (known !== undefined) return known;
    // Out of order a block is met in parts, so corrected numbers of all of it are never there at once.
    const source = activationOrder ? this.#weights : this.#left;
    const grid = gridOf(source.subarray(block * format.blockSize, (block + 1) * format.blockSize), format);
    this.#grids[block] = grid;
    setGrid(target, this.#row, block, grid);
    return grid;
  }
}

/** `Σ (ΔW·XᵀX)∘ΔW / Σ (W·XᵀX)∘W`: how far outputs are off, relative to them, by the activations behind `hessian`. */
export function outputError(weight: Matrix, quantized: Matrix, hessian: SquareMatrix | undefined): number {
  const difference = weight.data.map((value, at) => value - (quantized.data[at] as number));
  const whole = energy({ ...weight }, hessian);
  return whole === 0 ? 0 : energy({ ...weight, data: difference }, hessian) / whole;
}

function energy({ rows, columns, data }: Matrix, hessian: SquareMatrix | undefined): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const weights = data.subarray(row * columns, (row + 1) * columns);
    for (let i = 0; i < columns; i++) {
      const value = weights[i] as number;
      if (value === 0) continue;
      sum +=
        value * (hessian === undefined ? value : dot(hessian.data.subarray(i * columns, (i + 1) * columns), weights));
    }
  }
  return sum;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number);
  return sum;
}
