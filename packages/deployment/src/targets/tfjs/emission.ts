import {
  fromNumbers,
  type Graph,
  inversePermutation,
  isConcrete,
  ModelwrightError,
  type Node,
  type Tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { attribute, TensorflowGraph } from './tensorflow-graph.js';

/** The permutation from channels first to channels last. */
export const toLast = (rank: number): readonly number[] => [0, ...range(rank - 2).map((axis) => axis + 2), 1];

/** The permutation from channels last to channels first. */
export const toFirst = (rank: number): readonly number[] => inversePermutation(toLast(rank));

/** The numbers from 0. */
export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/**
 * A graph on its way to TensorFlow: which tensor stands for which value. Images have two forms, channels first as the graph means it and
 * channels last as TensorFlow.js computes; each is made when somebody asks for it.
 */
export class Emission {
  readonly graph: TensorflowGraph = new TensorflowGraph();
  readonly #source: Graph;
  readonly #asMeant = new Map<Value, string>();
  readonly #channelsLast = new Map<Value, string>();

  constructor(source: Graph) {
    this.#source = source;
  }

  /** The tensor of a value as the graph means it. */
  read(value: Value): string {
    const known = this.#asMeant.get(value);
    if (known !== undefined) return known;
    const constant = this.constantOf(value);
    const last = this.#channelsLast.get(value);
    const made =
      last !== undefined
        ? this.transpose(last, toFirst(value.shape.length))
        : this.graph.constant(constant ?? missing(value), value.name);
    this.#asMeant.set(value, made);
    return made;
  }

  /** The tensor of a value with its channels last. */
  readLast(value: Value): string {
    const known = this.#channelsLast.get(value);
    if (known !== undefined) return known;
    const constant = this.constantOf(value);
    const perm = toLast(value.shape.length);
    const made =
      constant === undefined
        ? this.transpose(this.read(value), perm)
        : this.graph.constant(permuted(constant, perm), value.name);
    this.#channelsLast.set(value, made);
    return made;
  }

  /** Whether the channels-last form of a value is there already. */
  isLast(value: Value): boolean {
    return this.#channelsLast.has(value);
  }

  bind(value: Value, name: string): void {
    this.#asMeant.set(value, name);
  }

  bindLast(value: Value, name: string): void {
    this.#channelsLast.set(value, name);
  }

  constantOf(value: Value | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.#source.constants.get(value);
  }

  /** The elements of an input that has to be known when the model is deployed. */
  numbersOf(node: Node, index: number): readonly number[] | undefined {
    const value = node.inputs[index];
    if (value === undefined) return undefined;
    const constant = this.constantOf(value);
    if (constant === undefined) throw unsupported(node, `its input ${index} is computed; TensorFlow.js wants it known`);
    return Array.from(toNumbers(constant));
  }

  integers(values: readonly number[]): string {
    return this.graph.constant(fromNumbers('int32', [values.length], values));
  }

  integer(value: number): string {
    return this.graph.constant(fromNumbers('int32', [], [value]));
  }

  float(value: number): string {
    return this.graph.constant(fromNumbers('float32', [], [value]));
  }

  transpose(name: string, perm: readonly number[]): string {
    return this.graph.add('Transpose', [name, this.integers(perm)], { T: attribute.type('float32') });
  }

  reshape(name: string, shape: readonly number[]): string {
    return this.graph.add('Reshape', [name, this.integers(shape)]);
  }

  /** The shape of a value as a tensor, known extents as they are; others from whatever `like` is that long on the same axis. */
  shapeTensor(value: Pick<Value, 'shape'>, like: Value, axisOf: (axis: number) => number = (axis) => axis): string {
    if (isConcrete(value.shape)) return this.integers(value.shape as readonly number[]);
    const whole = this.graph.add('Shape', [this.read(like)], { out_type: attribute.type('int32') });
    const parts = value.shape.map((extent, axis) =>
      typeof extent === 'number' ? this.integers([extent]) : this.part(whole, axisOf(axis)),
    );
    return this.graph.add('ConcatV2', [...parts, this.integer(0)], { N: attribute.int(parts.length) });
  }

  /** One element of a vector, as a vector. */
  part(vector: string, index: number): string {
    const bounds = [[index], [index + 1], [1]].map((each) => this.integers(each));
    return this.graph.add('StridedSlice', [vector, ...bounds], {});
  }
}

/** A tensor with its axes in another order. */
export function permuted(tensor: Tensor, perm: readonly number[]): Tensor {
  const from = tensor.shape as readonly number[];
  const shape = perm.map((axis) => from[axis] as number);
  const strides = from.map((_, axis) => from.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  const source = toNumbers(tensor);
  const result = new Float64Array(source.length);
  const place = shape.map(() => 0);
  for (let index = 0; index < result.length; index++) {
    result[index] = source[
      place.reduce((sum, at, axis) => sum + at * (strides[perm[axis] as number] as number), 0)
    ] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place[axis] = (place[axis] as number) + 1;
      if ((place[axis] as number) < (shape[axis] as number)) break;
      place[axis] = 0;
    }
  }
  return fromNumbers(tensor.dtype, shape, result);
}

/** The error for what TensorFlow.js cannot express. */
export function unsupported(node: Pick<Node, 'op' | 'name'>, reason: string): ModelwrightError {
  return new ModelwrightError(
    'unsupported-op',
    `${node.op} '${node.name}' cannot become a TensorFlow.js graph: ${reason}`,
    {
      op: node.op,
      layer: node.name,
    },
  );
}

function missing(value: Value): never {
  throw new ModelwrightError('invalid-graph', `nothing makes the value '${value.name}'`, { given: value.name });
}
