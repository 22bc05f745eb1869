/**
 * The op case table: one-node graphs as data. Every backend runs every case and is compared with the reference
 * evaluator; the gradient check differentiates those that say so. A new op is done when its cases are here.
 *
 * To add cases, write `cases/<family>.ts` exporting `const <family>Cases: readonly OpCase[]`, and list it in
 * `cases/index.ts`. A family covers, for each op,
 *
 * - dtypes: float32, float16 once, every integer dtype the op takes at least once;
 * - shapes: scalar, empty, extent 1, odd, broadcast, one moderately large (≈ 10⁴ elements);
 * - special values where they mean something: NaN, ±Infinity, −0;
 * - at least three gradient cases (`differentiable`), over its attributes, each of few elements (≤ 60).
 *
 * @example
 * export const elementwiseCases: readonly OpCase[] = [
 *   { id: 'elementwise/Add/broadcast', op: 'Add', inputs: [floats([2, 3]), floats([3])], differentiable: [0, 1] },
 *   { id: 'elementwise/Abs/odd', op: 'Abs', inputs: [floats([3, 5], { avoid: [0] })], differentiable: [0] },
 *   { id: 'movement/Reshape/infer one', op: 'Reshape', inputs: [floats([2, 6]), vector([3, -1])] },
 * ];
 */
import type { OpAttributes } from '../ops/families.js';
import type { OpName } from '../ops/registry.js';
import type { DType } from '../tensor/dtype.js';

/** One input of a case: given elements, or random ones that the case's id and the input's place determine. */
export interface CaseInput {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements in row-major order; random when left out. */
  readonly values?: readonly (number | bigint | boolean | string)[];
  /** Smallest random element; default −2 (0 for unsigned integers and bool). */
  readonly low?: number;
  /** Largest random element; default 2 (9 for integers, 1 for bool). */
  readonly high?: number;
  /** Random elements keep 0.05 away from these points: kinks and poles of the op. */
  readonly avoid?: readonly number[];
  /** Random elements are spread evenly and shuffled: no two are close, so order does not change under a small step. */
  readonly distinct?: true;
  /** Known when the graph is built (shapes, axes) instead of fed. */
  readonly constant?: true;
}

/** How far a result may be from the reference: `|a − r| ≤ absolute + relative·|r|`. */
export interface CaseTolerance {
  readonly relative?: number;
  readonly absolute?: number;
  readonly reason: string;
}

/** A case of the op `N`. */
export interface CaseOf<N extends OpName> {
  /** `family/Op/what`, unique and stable: exclusions and reports refer to it. */
  readonly id: string;
  readonly op: N;
  readonly inputs: readonly (CaseInput | undefined)[];
  readonly attributes?: Partial<OpAttributes[N]>;
  /** How many outputs are asked for, where the op leaves it open. */
  readonly outputs?: number;
  /** Inputs whose gradient is checked against finite differences. */
  readonly differentiable?: readonly number[];
  /** How many products each result sums up; widens the tolerance by its square root. Default 1. */
  readonly accumulation?: number;
  readonly tolerance?: CaseTolerance;
}

/** A case of any op, its attributes typed by the op. */
export type OpCase = { readonly [N in OpName]: CaseOf<N> }[OpName];

type InputOptions = Omit<CaseInput, 'dtype' | 'shape'>;

/** A random float32 input. */
export function floats(shape: readonly number[], options: InputOptions = {}): CaseInput {
  return { dtype: 'float32', shape, ...options };
}

/** A random input of `dtype`. */
export function random(dtype: DType, shape: readonly number[], options: InputOptions = {}): CaseInput {
  return { dtype, shape, ...options };
}

/** An input with given elements; shape defaults to a vector. */
export function given(
  dtype: DType,
  values: readonly (number | bigint | boolean | string)[],
  shape: readonly number[] = [values.length],
): CaseInput {
  return { dtype, shape, values };
}

/** A constant int64 vector, as shapes, axes and pads are given. */
export function vector(values: readonly number[]): CaseInput {
  return { dtype: 'int64', shape: [values.length], values, constant: true };
}

/** A constant scalar. */
export function scalar(dtype: DType, value: number | bigint | boolean | string): CaseInput {
  return { dtype, shape: [], values: [value], constant: true };
}

/** float32 elements that expose sloppy kernels: NaN, infinities, both zeros, tiny and huge ones. */
export const specialFloats: CaseInput = given('float32', [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  2.5,
  -2.5,
  1e-30,
  -1e30,
]);
