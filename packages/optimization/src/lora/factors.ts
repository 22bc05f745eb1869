import {
  counterUniform,
  fromNumbers,
  type Model,
  type Parameter,
  type Tensor,
  toNumbers,
  zeros,
} from '@modelwright/core';
import type { AdaptedKind, AdaptedWeight } from './adapter-record.js';

/** The two factors of a change: `A` and `B` as the graph holds them. */
export interface Factors {
  /** dense, embedding, matrix `[in, rank]`; conv `[rank, in, …kernel]`. */
  readonly a: Tensor;
  /** dense, embedding, matrix `[rank, out]`; conv `[out, rank, 1, …]`. */
  readonly b: Tensor;
}

/** How a weight lies as a matrix of rows and columns, by kind: `left · right` changes it. */
export function matrixOf(
  shape: readonly number[],
  { kind, transposed }: Pick<AdaptedWeight, 'kind' | 'transposed'>,
): { readonly rows: number; readonly columns: number } {
  const product = (extents: readonly number[]): number => extents.reduce((total, extent) => total * extent, 1);
  // Recurrent weights have an axis of directions in front.
  const first =
    kind === 'matrix'
      ? Math.max(
          0,
          shape.findIndex((extent) => extent > 1),
        )
      : 0;
  const [rows, columns] = [product(shape.slice(0, first + 1)), product(shape.slice(first + 1))];
  return transposed ? { rows: columns, columns: rows } : { rows, columns };
}

/** Shapes of the factors of a weight. */
export function factorShapes(
  shape: readonly number[],
  target: Pick<AdaptedWeight, 'kind' | 'transposed'>,
  rank: number,
): { readonly a: readonly number[]; readonly b: readonly number[] } {
  if (target.kind === 'conv') {
    const [out = 1, ...rest] = shape;
    return { a: [rank, ...rest], b: [out, rank, ...shape.slice(2).map(() => 1)] };
  }
  const { rows, columns } = matrixOf(shape, target);
  return { a: [rows, rank], b: [rank, columns] };
}

/** Factors to begin with: `A` uniform in ±1/√in, `B` zero, so that nothing is changed yet. */
export function initialFactors(
  model: Model,
  parameter: Parameter,
  { target, rank, seed }: { readonly target: AdaptedWeight; readonly rank: number; readonly seed: number },
): Factors {
  const { shape, dtype } = model.weightOf(parameter);
  const shapes = factorShapes(shape, target, rank);
  const count = shapes.a.reduce((total, extent) => total * extent, 1);
  const bound = 1 / Math.sqrt(target.kind === 'embedding' ? (shapes.b[1] as number) : count / rank);
  const uniform = counterUniform(seed, hashOf(target.weight), count);
  const a = Float64Array.from(uniform, (each) => (2 * each - 1) * bound);
  return { a: fromNumbers(dtype, shapes.a, a), b: zeros(dtype, shapes.b) };
}

/** FNV-1a: draws of a weight depend on its name, not on which others are adapted. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193) >>> 0;
  return hash;
}

/** `weight + scale · change`, computed in float64. */
export function mergedWeight(
  weight: Tensor,
  factors: Factors,
  { target, scale }: { readonly target: AdaptedWeight; readonly scale: number },
): Tensor {
  const [left, right] = target.kind === 'conv' ? [factors.b, factors.a] : [factors.a, factors.b];
  const rank = target.kind === 'conv' ? (factors.a.shape[0] as number) : (factors.b.shape[0] as number);
  const { rows, columns } = matrixOf(weight.shape, target);
  const change = product(toNumbers(left), toNumbers(right), { rows, rank, columns });
  const merged = Float64Array.from(toNumbers(weight));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = target.transposed ? column * rows + row : row * columns + column;
      merged[at] = (merged[at] as number) + scale * (change[row * columns + column] as number);
    }
  }
  return fromNumbers(weight.dtype, weight.shape, merged);
}

function product(
  left: Float64Array,
  right: Float64Array,
  { rows, rank, columns }: { readonly rows: number; readonly rank: number; readonly columns: number },
): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let inner = 0; inner < rank; inner++) {
      const factor = left[row * rank + inner] as number;
      if (factor === 0) continue;
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column;
        result[at] = (result[at] as number) + factor * (right[inner * columns + column] as number);
      }
    }
  }
  return result;
}

const swapped = ({ shape, dtype, data }: Tensor): Tensor => {
  const [rows = 1, columns = 1] = shape;
  const source = toNumbers({ shape, dtype, data } as Tensor);
  const turned = Float64Array.from(source, (_, at) => source[(at % rows) * columns + Math.floor(at / rows)] as number);
  return fromNumbers(dtype, [columns, rows], turned);
};

/** Factors as PEFT keeps them: `[rank, in]` and `[out, rank]`; and back. */
export function inFileLayout({ a, b }: Factors, kind: AdaptedKind): Factors {
  return kind === 'conv' ? { a, b } : { a: swapped(a), b: swapped(b) };
}
