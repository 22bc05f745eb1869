import { dtypeFacts } from '../tensor/dtype.js';
import type { Dimension } from '../tensor/shape.js';
import { type Tensor, toNumbers } from '../tensor/tensor.js';
import { type Known, knownOutputs } from './dimension-rules.js';
import type { Node, Value } from './graph.js';

const longestVector = 64;
const longestFloatVector = 8;

/**
 * Follows scalars and vectors that carry shapes (`Shape → Gather → Concat → Reshape`) with symbols inside, so that the
 * shape rules of `Reshape`, `Expand`, `Slice`… see what they are asked for. Elements that only the run can tell are fresh
 * symbols beginning with `?value`.
 */
export class KnownDimensions {
  readonly #parent: KnownDimensions | undefined;
  readonly #values: Map<Value, Known> = new Map();
  readonly #counter: { next: number };

  constructor(parent?: KnownDimensions) {
    this.#parent = parent;
    this.#counter = parent === undefined ? { next: 0 } : parent.#counter;
  }

  /** Elements of a scalar or vector, as far as they are known. */
  of(value: Value): Known | undefined {
    return this.#values.get(value) ?? this.#parent?.of(value);
  }

  /** A symbol nobody else uses. */
  fresh(hint: string): Dimension {
    return `?${hint}${this.#counter.next++}`;
  }

  addConstant(value: Value, held: Tensor): void {
    const { kind } = dtypeFacts[held.dtype];
    const longest = kind === 'float' ? longestFloatVector : longestVector;
    if (kind === 'string' || held.rank > 1 || held.elementCount > longest) return;
    this.#values.set(value, [...toNumbers(held)]);
  }

  addNode(node: Node): void {
    if (node.domain !== '' || node.outputs.every(({ shape }) => shape.length > 1)) return;
    const results = knownOutputs({
      node,
      known: (index) => {
        const input = node.inputs[index];
        return input === undefined ? undefined : this.of(input);
      },
      fresh: () => this.fresh('value'),
    });
    for (const [index, output] of node.outputs.entries()) {
      const known = results[index];
      if (known === undefined || output.shape.length > 1 || known.length > longestVector) continue;
      this.#values.set(output, known);
    }
  }
}
