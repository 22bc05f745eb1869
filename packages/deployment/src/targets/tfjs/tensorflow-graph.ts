import { type DType, ModelwrightError, type Tensor, toNumbers } from '@modelwright/core';

/** An attribute as TensorFlow's JSON has it. */
export type TensorflowAttribute = { readonly [kind: string]: unknown };

/** A node of a TensorFlow graph. */
export interface TensorflowNode {
  readonly name: string;
  readonly op: string;
  /** `name` for a first output, `name:1` for the next. */
  readonly input: readonly string[];
  readonly attr: { readonly [name: string]: TensorflowAttribute };
}

/** A constant, as the manifest of weights lists it. */
export interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
}

type TensorflowType = 'DT_FLOAT' | 'DT_INT32' | 'DT_BOOL';

/** Constructors of attributes. */
export const attribute = {
  type: (dtype: DType): TensorflowAttribute => ({ type: typeOf(dtype) }),
  int: (value: number): TensorflowAttribute => ({ i: String(value) }),
  float: (value: number): TensorflowAttribute => ({ f: value }),
  bool: (value: boolean): TensorflowAttribute => ({ b: value }),
  string: (value: string): TensorflowAttribute => ({ s: btoa(value) }),
  ints: (values: readonly number[]): TensorflowAttribute => ({ list: { i: values.map(String) } }),
  strings: (values: readonly string[]): TensorflowAttribute => ({ list: { s: values.map((value) => btoa(value)) } }),
  shape: (shape: readonly (number | string)[]): TensorflowAttribute => ({
    shape: { dim: shape.map((extent) => ({ size: typeof extent === 'number' ? String(extent) : '-1' })) },
  }),
} as const;

/** What TensorFlow.js computes a dtype as. */
export function typeOf(dtype: DType): TensorflowType {
  if (dtype === 'bool') return 'DT_BOOL';
  if (dtype.startsWith('float') || dtype === 'bfloat16') return 'DT_FLOAT';
  if (dtype === 'string') {
    throw new ModelwrightError('unsupported-dtype', 'strings cannot be computed with in TensorFlow.js', {
      given: dtype,
    });
  }
  return 'DT_INT32';
}

/** Builds a TensorFlow graph node by node. */
export class TensorflowGraph {
  readonly nodes: TensorflowNode[] = [];
  readonly weights: WeightEntry[] = [];
  readonly #buffers: Uint8Array[] = [];
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, string>();

  /** A name that no node has yet, made of signs that TensorFlow allows. */
  uniqueName(wanted: string): string {
    const base = wanted.replace(/[^A-Za-z0-9_.\\/-]/g, '_').replace(/^[^A-Za-z0-9.]+/, '') || 'node';
    let name = base;
    for (let count = 1; this.#names.has(name); count++) name = `${base}_${count}`;
    this.#names.add(name);
    return name;
  }

  /** @returns the name of the node, which is that of its first output. */
  add(
    op: string,
    input: readonly string[],
    attr: { readonly [name: string]: TensorflowAttribute } = {},
    wantedName: string = op,
  ): string {
    const name = this.uniqueName(wantedName);
    this.nodes.push({ name, op, input, attr });
    return name;
  }

  /** A constant of the graph; equal small ones are one. */
  constant(tensor: Tensor, wantedName = 'Const'): string {
    const { dtype, bytes } = encoded(tensor);
    const key = bytes.length <= 256 ? `${dtype}[${tensor.shape}]${bytes.join()}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.add(
      'Const',
      [],
      { dtype: attribute.type(tensor.dtype), shape: attribute.shape(tensor.shape) },
      wantedName,
    );
    this.weights.push({ name, shape: tensor.shape as readonly number[], dtype });
    this.#buffers.push(bytes);
    if (key !== undefined) this.#constants.set(key, name);
    return name;
  }

  /** All constants, one after the other in the order of {@link weights}. */
  weightData(): Uint8Array {
    const data = new Uint8Array(this.#buffers.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const bytes of this.#buffers) {
      data.set(bytes, at);
      at += bytes.length;
    }
    return data;
  }
}

function encoded(tensor: Tensor): { readonly dtype: WeightEntry['dtype']; readonly bytes: Uint8Array } {
  const type = typeOf(tensor.dtype);
  const numbers = toNumbers(tensor);
  if (type === 'DT_BOOL') return { dtype: 'bool', bytes: Uint8Array.from(numbers) };
  const data = type === 'DT_FLOAT' ? Float32Array.from(numbers) : Int32Array.from(numbers, clampedInteger);
  return {
    dtype: type === 'DT_FLOAT' ? 'float32' : 'int32',
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** Ends of slices are written as the largest integers; 32 bits are what there is. */
function clampedInteger(value: number): number {
  return Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1);
}
