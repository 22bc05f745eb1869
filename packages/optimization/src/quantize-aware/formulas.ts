import type { GraphBuilder, Value } from '@modelwright/core';

/** Arithmetic on float32 values of a graph under construction. */
export class Formulas {
  readonly builder: GraphBuilder;

  constructor(builder: GraphBuilder) {
    this.builder = builder;
  }

  add(a: Value | number, b: Value | number): Value {
    return this.#op('Add', a, b);
  }
  subtract(a: Value | number, b: Value | number): Value {
    return this.#op('Sub', a, b);
  }
  multiply(a: Value | number, b: Value | number): Value {
    return this.#op('Mul', a, b);
  }
  divide(a: Value | number, b: Value | number): Value {
    return this.#op('Div', a, b);
  }
  maximum(a: Value | number, b: Value | number): Value {
    return this.#op('Max', a, b);
  }
  minimum(a: Value | number, b: Value | number): Value {
    return this.#op('Min', a, b);
  }
  squareRoot(a: Value): Value {
    return this.builder.op('Sqrt', [a]);
  }
  choose(condition: Value, a: Value | number, b: Value | number): Value {
    return this.builder.op('Where', [condition, this.value(a), this.value(b)]);
  }
  isAtLeast(a: Value, b: Value | number): Value {
    return this.builder.op('GreaterOrEqual', [a, this.value(b)]);
  }
  isLess(a: Value, b: Value | number): Value {
    return this.builder.op('Less', [a, this.value(b)]);
  }
  /** The value, through which no gradient flows. */
  held(a: Value): Value {
    return this.builder.op('StopGradient', [a]);
  }
  /** What `a` is when the model infers, and what it is when it trains. */
  byMode(inference: Value, training: Value): Value {
    return this.builder.op('TrainingSwitch', [inference, training]);
  }
  /** The value; training changes the parameter `statistic` to `next`. */
  tracking(x: Value, statistic: Value, next: Value): Value {
    return this.builder.op('TrackStatistic', [x, statistic, next]);
  }
  value(a: Value | number): Value {
    return typeof a === 'number' ? this.builder.scalar(a, 'float32') : a;
  }
  #op(op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min', a: Value | number, b: Value | number): Value {
    return this.builder.op(op, [this.value(a), this.value(b)]);
  }
}
