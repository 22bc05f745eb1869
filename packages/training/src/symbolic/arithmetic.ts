import {
  broadcastShapes,
  type DType,
  type GraphBuilder,
  ModelwrightError,
  type OpName,
  onnxDataType,
  type Shape,
  type Value,
} from '@modelwright/core';

/** A value of the graph, or a number that stands for a constant scalar of its partner's dtype. */
export type Operand = Value | number;

/**
 * Arithmetic on symbolic values: each method adds nodes to one builder. Losses, metrics and updates are written with it.
 *
 * @example
 * const error = arithmetic.subtract(target, prediction);
 * const loss = arithmetic.mean(arithmetic.square(error), [-1]);
 */
export class Arithmetic {
  readonly builder: GraphBuilder;

  constructor(builder: GraphBuilder) {
    this.builder = builder;
  }

  add(a: Operand, b: Operand): Value {
    return this.#binary('Add', a, b);
  }

  subtract(a: Operand, b: Operand): Value {
    return this.#binary('Sub', a, b);
  }

  multiply(a: Operand, b: Operand): Value {
    return this.#binary('Mul', a, b);
  }

  divide(a: Operand, b: Operand): Value {
    return this.#binary('Div', a, b);
  }

  minimum(a: Operand, b: Operand): Value {
    return this.#binary('Min', a, b);
  }

  maximum(a: Operand, b: Operand): Value {
    return this.#binary('Max', a, b);
  }

  /** `base` to the power of `exponent`. */
  power(base: Operand, exponent: Operand): Value {
    return this.#binary('Pow', base, exponent);
  }

  /** `x²` as a product, whose gradient needs no power. */
  square(x: Value): Value {
    return this.multiply(x, x);
  }

  negate(x: Value): Value {
    return this.builder.op('Neg', [x]);
  }

  absolute(x: Value): Value {
    return this.builder.op('Abs', [x]);
  }

  sign(x: Value): Value {
    return this.builder.op('Sign', [x]);
  }

  squareRoot(x: Value): Value {
    return this.builder.op('Sqrt', [x]);
  }

  logarithm(x: Value): Value {
    return this.builder.op('Log', [x]);
  }

  exponential(x: Value): Value {
    return this.builder.op('Exp', [x]);
  }

  /** `log(1 + eˣ)`, without overflow. */
  softplus(x: Value): Value {
    return this.builder.op('Softplus', [x]);
  }

  sigmoid(x: Value): Value {
    return this.builder.op('Sigmoid', [x]);
  }

  softmax(x: Value, axis = -1): Value {
    return this.builder.op('Softmax', [x], { axis });
  }

  logSoftmax(x: Value, axis = -1): Value {
    return this.builder.op('LogSoftmax', [x], { axis });
  }

  /** `x` held within `[low, high]`; gradients stop where the bound holds. */
  clip(x: Value, low: number, high: number): Value {
    return this.builder.op('Clip', [x, this.#operand(low, x), this.#operand(high, x)]);
  }

  equal(a: Operand, b: Operand): Value {
    return this.#binary('Equal', a, b);
  }

  greater(a: Operand, b: Operand): Value {
    return this.#binary('Greater', a, b);
  }

  lessOrEqual(a: Operand, b: Operand): Value {
    return this.#binary('LessOrEqual', a, b);
  }

  /** Takes from `whenTrue` where `condition` holds, else from `whenFalse`. */
  where(condition: Value, whenTrue: Operand, whenFalse: Operand): Value {
    const [a, b] = this.#pair(whenTrue, whenFalse);
    return this.builder.op('Where', [condition, a, b]);
  }

  /** Sum over `axes` (negative count from the back; all when left out). */
  sum(x: Value, axes?: readonly number[], keep = false): Value {
    return this.#reduce('ReduceSum', x, { axes, keep });
  }

  /** Mean over `axes` (negative count from the back; all when left out). */
  mean(x: Value, axes?: readonly number[], keep = false): Value {
    return this.#reduce('ReduceMean', x, { axes, keep });
  }

  /** Largest element over `axes`. */
  largest(x: Value, axes?: readonly number[], keep = false): Value {
    return this.#reduce('ReduceMax', x, { axes, keep });
  }

  /** Index of the largest element along `axis`, int64; the first of equals. */
  argMax(x: Value, axis = -1): Value {
    return this.builder.op('ArgMax', [x], { axis, keepdims: 0 });
  }

  /** `x` as `dtype`; `x` itself if it has it. */
  cast(x: Value, dtype: DType): Value {
    return x.dtype === dtype ? x : this.builder.op('Cast', [x], { to: onnxDataType(dtype) });
  }

  /** `x` under another concrete shape; `x` itself if it has it. */
  reshape(x: Value, shape: readonly number[]): Value {
    if (x.shape.length === shape.length && shape.every((extent, axis) => extent === x.shape[axis])) return x;
    return this.builder.op('Reshape', [x, this.builder.integers(shape)]);
  }

  /** Ones where `indices` name the class, zeros elsewhere, along a new last axis. */
  oneHot(indices: Value, classes: number, dtype: DType): Value {
    const range = this.builder.constant(
      Array.from({ length: classes }, (_, index) => index),
      { dtype: indices.dtype },
    );
    const last = this.builder.op('Unsqueeze', [indices, this.builder.integers([indices.shape.length])]);
    return this.cast(this.equal(last, range), dtype);
  }

  /** `x` repeated to `shape`. */
  expand(x: Value, shape: readonly number[]): Value {
    const common = broadcastShapes(x.shape, shape);
    if (
      common !== undefined &&
      common.length === x.shape.length &&
      common.every((extent, axis) => extent === x.shape[axis])
    )
      return x;
    return this.builder.op('Expand', [x, this.builder.integers(shape)]);
  }

  /** Passes the value, stops the gradient. */
  stopGradient(x: Value): Value {
    return this.builder.op('StopGradient', [x]);
  }

  #binary(
    op: OpName & ('Add' | 'Sub' | 'Mul' | 'Div' | 'Pow' | 'Min' | 'Max' | 'Equal' | 'Greater' | 'LessOrEqual'),
    a: Operand,
    b: Operand,
  ): Value {
    return this.builder.op(op, this.#pair(a, b));
  }

  #pair(a: Operand, b: Operand): readonly [Value, Value] {
    if (typeof a !== 'number') return [a, this.#operand(b, a)];
    if (typeof b !== 'number') return [this.#operand(a, b), b];
    throw new ModelwrightError('invalid-argument', 'arithmetic on two plain numbers needs no graph; compute it first', {
      given: [a, b],
    });
  }

  #operand(operand: Operand, partner: Value): Value {
    return typeof operand === 'number' ? this.builder.scalar(operand, partner.dtype) : operand;
  }

  #reduce(
    op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax',
    x: Value,
    { axes, keep }: { readonly axes: readonly number[] | undefined; readonly keep: boolean },
  ): Value {
    const over = axes?.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
    // A scalar has no axes; reducing it over all of them is the scalar.
    if (x.shape.length === 0 || over?.length === 0) return x;
    const inputs = over === undefined ? [x] : [x, this.builder.integers(over)];
    return this.builder.op(op, inputs, { keepdims: keep ? 1 : 0 });
  }
}

/** `shape` as numbers; losses and metrics are only built for concrete batches. */
export function extents(shape: Shape): readonly number[] {
  for (const extent of shape) {
    if (typeof extent !== 'number') {
      throw new ModelwrightError('unsupported-shape', `training needs concrete shapes, [${shape.join(',')}] is not`, {
        given: shape,
      });
    }
  }
  return shape as readonly number[];
}
