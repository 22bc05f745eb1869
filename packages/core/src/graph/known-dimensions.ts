import { dtypeFacts } from '../tensor/dtype.js';
import { addDimensions, type Dimension, floorDivideDimensions, multiplyDimensions } from '../tensor/shape.js';
import { type Tensor, toNumbers } from '../tensor/tensor.js';
import type { Node, Value } from './graph.js';

type Known = readonly Dimension[];
type Lookup = (index: number) => Known | undefined;

const longestVector = 64;

/**
 * Follows integer vectors that carry shapes (`Shape → Gather → Concat → Reshape`) with symbols inside, so that the
 * shape rules of `Reshape`, `Expand`, `Slice`… see what they are asked for.
 */
export class KnownDimensions {
  readonly #parent: KnownDimensions | undefined;
  readonly #values: Map<Value, Known> = new Map();
  readonly #counter: { next: number };

  constructor(parent?: KnownDimensions) {
    this.#parent = parent;
    this.#counter = parent === undefined ? { next: 0 } : parent.#counter;
  }

  /** Elements of an integer scalar or vector, as far as they are known. */
  of(value: Value): Known | undefined {
    return this.#values.get(value) ?? this.#parent?.of(value);
  }

  /** A symbol nobody else uses. */
  fresh(hint: string): Dimension {
    return `?${hint}${this.#counter.next++}`;
  }

  addConstant(value: Value, held: Tensor): void {
    const { kind } = dtypeFacts[held.dtype];
    if ((kind !== 'int' && kind !== 'uint') || held.rank > 1 || held.elementCount > longestVector) return;
    this.#values.set(value, [...toNumbers(held)]);
  }

  addNode(node: Node): void {
    const rule = node.domain === '' ? rules[node.op] : undefined;
    const output = node.outputs[0];
    if (rule === undefined || output === undefined || output.shape.length > 1) return;
    const known = rule(node, (index) => {
      const input = node.inputs[index];
      return input === undefined ? undefined : this.of(input);
    });
    if (known !== undefined && known.length <= longestVector) this.#values.set(output, known);
  }
}

const rules: { readonly [op: string]: ((node: Node, known: Lookup) => Known | undefined) | undefined } = {
  Shape: (node) => {
    const shape = node.inputs[0]?.shape;
    if (shape === undefined) return undefined;
    const { start = 0, end = shape.length } = node.attributes as { start?: number; end?: number };
    return shape.slice(start, end);
  },
  Size: (node) => [(node.inputs[0]?.shape ?? []).reduce<Dimension>(multiplyDimensions, 1)],
  Identity: (_, known) => known(0),
  Cast: (_, known) => known(0),
  Squeeze: (_, known) => known(0),
  Unsqueeze: (_, known) => known(0),
  Reshape: (_, known) => known(0),
  Add: (_, known) => combine(known, addDimensions),
  Sub: (_, known) => combine(known, (a, b) => (typeof b === 'number' ? addDimensions(a, -b) : a === b ? 0 : undefined)),
  Mul: (_, known) => combine(known, multiplyDimensions),
  Div: (_, known) => combine(known, floorDivideDimensions),
  Concat: (node, known) => {
    const parts = node.inputs.map((_, index) => known(index));
    return parts.some((part) => part === undefined) ? undefined : parts.flatMap((part) => part ?? []);
  },
  Gather: (_, known) => {
    const [data, indices] = [known(0), known(1)];
    if (data === undefined || indices === undefined) return undefined;
    const taken = indices.map((index) => (typeof index === 'number' ? data.at(index) : undefined));
    return taken.some((item) => item === undefined) ? undefined : (taken as Known);
  },
  Slice: (_, known) => {
    const data = known(0);
    const [start, end, step] = [numberAt(known(1)), numberAt(known(2)), numberAt(known(4)) ?? 1];
    if (data === undefined || start === undefined || end === undefined || step !== 1) return undefined;
    return data.slice(start, end);
  },
};

function numberAt(known: Known | undefined): number | undefined {
  return typeof known?.[0] === 'number' ? known[0] : undefined;
}

function combine(known: Lookup, rule: (a: Dimension, b: Dimension) => Dimension | undefined): Known | undefined {
  const [left, right] = [known(0), known(1)];
  if (left === undefined || right === undefined) return undefined;
  const length = Math.max(left.length, right.length);
  const results: Dimension[] = [];
  for (let index = 0; index < length; index++) {
    const result = rule(left[left.length === 1 ? 0 : index] ?? 0, right[right.length === 1 ? 0 : index] ?? 0);
    if (result === undefined) return undefined;
    results.push(result);
  }
  return results;
}
