import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';

/** A value, or a number that becomes a scalar of the other operand's dtype. */
export type Operand = Value | number;

/** Writes formulas into a graph, so that gradient rules and decompositions read like the formulas above them. */
export class Algebra {
  readonly builder: GraphBuilder;

  constructor(builder: GraphBuilder) {
    this.builder = builder;
  }

  add(a: Operand, b: Operand): Value {
    return this.#binary('Add', a, b);
  }

  sub(a: Operand, b: Operand): Value {
    return this.#binary('Sub', a, b);
  }

  mul(a: Operand, b: Operand): Value {
    return this.#binary('Mul', a, b);
  }

  div(a: Operand, b: Operand): Value {
    return this.#binary('Div', a, b);
  }

  max(a: Operand, b: Operand): Value {
    return this.#binary('Max', a, b);
  }

  min(a: Operand, b: Operand): Value {
    return this.#binary('Min', a, b);
  }

  pow(a: Operand, b: Operand): Value {
    return this.#binary('Pow', a, b);
  }

  greater(a: Operand, b: Operand): Value {
    return this.#binary('Greater', a, b);
  }

  less(a: Operand, b: Operand): Value {
    return this.#binary('Less', a, b);
  }

  equal(a: Operand, b: Operand): Value {
    return this.#binary('Equal', a, b);
  }

  /** `condition ? a : b` elementwise. */
  where(condition: Value, a: Operand, b: Operand): Value {
    const [x, y] = this.#values(a, b);
    return this.builder.op('Where', [condition, x, y]);
  }

  /** `x²` */
  square(x: Value): Value {
    return this.mul(x, x);
  }

  neg(x: Value): Value {
    return this.builder.op('Neg', [x]);
  }

  exp(x: Value): Value {
    return this.builder.op('Exp', [x]);
  }

  log(x: Value): Value {
    return this.builder.op('Log', [x]);
  }

  sqrt(x: Value): Value {
    return this.builder.op('Sqrt', [x]);
  }

  abs(x: Value): Value {
    return this.builder.op('Abs', [x]);
  }

  tanh(x: Value): Value {
    return this.builder.op('Tanh', [x]);
  }

  sigmoid(x: Value): Value {
    return this.builder.op('Sigmoid', [x]);
  }

  #binary(
    op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min' | 'Pow' | 'Greater' | 'Less' | 'Equal',
    a: Operand,
    b: Operand,
  ): Value {
    return this.builder.op(op, this.#values(a, b));
  }

  #values(a: Operand, b: Operand): [Value, Value] {
    const dtype = typeof a === 'number' ? (b as Value).dtype : a.dtype;
    return [
      typeof a === 'number' ? this.builder.scalar(a, dtype) : a,
      typeof b === 'number' ? this.builder.scalar(b, dtype) : b,
    ];
  }
}
