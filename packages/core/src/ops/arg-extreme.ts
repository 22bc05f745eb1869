import type { ValueType } from '../graph/graph.js';
import { allocateData, isBigInt } from '../tensor/dtype.js';
import { normalizeAxis } from '../tensor/shape.js';
import { Tensor, toNumbers } from '../tensor/tensor.js';
import type { EvaluateContext, InferContext, OpDefinition } from './definition.js';
import { forEachLine } from './reduction-kernels.js';
import { exactly, requireAxis, requireNumeric } from './rules.js';

export interface ArgAttributes {
  axis: number;
  keepdims: number;
  select_last_index: number;
}

/** Index of the largest element along an axis; the first NaN counts as largest, as NumPy has it. */
export const argMax: OpDefinition<ArgAttributes> = argExtreme((x, best) => x > best);
/** Index of the smallest element along an axis; the first NaN counts as smallest, as NumPy has it. */
export const argMin: OpDefinition<ArgAttributes> = argExtreme((x, best) => x < best);

type Beats = (x: number, best: number) => boolean;

function argExtreme(beats: Beats): OpDefinition<ArgAttributes> {
  return {
    inputs: exactly(1),
    outputs: exactly(1),
    attributes: {
      axis: { kind: 'int', default: 0 },
      keepdims: { kind: 'int', default: 1 },
      select_last_index: { kind: 'int', default: 0 },
    },
    infer: inferArg,
    gradient: () => [undefined],
    evaluate: (context) => [findExtremes(context, beats)],
  };
}

function inferArg(context: InferContext<ArgAttributes>): readonly ValueType[] {
  requireNumeric(context, 0);
  const { shape } = context.input(0);
  const axis = requireAxis(context, context.attributes.axis, shape.length);
  if (shape[axis] === 0) context.fail(`axis ${axis} is empty: it has no extreme`, { given: shape });
  return [{ dtype: 'int64', shape: withoutAxis(shape, axis, context.attributes.keepdims) }];
}

function withoutAxis<T>(shape: readonly (T | number)[], axis: number, keepdims: number): (T | number)[] {
  return shape.flatMap((extent, at) => (at !== axis ? [extent] : keepdims !== 0 ? [1] : []));
}

function findExtremes(context: EvaluateContext<ArgAttributes>, beats: Beats): Tensor {
  const { attributes } = context;
  const x = context.input(0);
  const axis = normalizeAxis(attributes.axis, x.rank);
  if (x.shape[axis] === 0) context.fail(`axis ${axis} is empty: it has no extreme`, { given: x.shape });
  // Bigints compare like numbers do, without losing their last bits.
  const values = (isBigInt(x.dtype) ? x.data : toNumbers(x)) as ArrayLike<number>;
  const shape = withoutAxis<number>(x.shape, axis, attributes.keepdims);
  const data = allocateData(
    'int64',
    shape.reduce((product, extent) => product * extent, 1),
  );
  let line = 0;
  forEachLine(x.shape, axis, (base, stride, extent) => {
    let best = 0;
    for (let i = 1; i < extent; i++) {
      const next = values[base + i * stride] as number;
      const held = values[base + best * stride] as number;
      if (isBetter(next, held, beats) || (attributes.select_last_index !== 0 && isTie(next, held))) best = i;
    }
    data[line++] = BigInt(best);
  });
  return new Tensor('int64', shape, data);
}

function isBetter(next: number, held: number, beats: Beats): boolean {
  return beats(next, held) || (isNotANumber(next) && !isNotANumber(held));
}

function isTie(next: number, held: number): boolean {
  return next === held || (isNotANumber(next) && isNotANumber(held));
}

// Number.isNaN is false for bigints, which is what is wanted here.
const isNotANumber = (x: unknown): boolean => Number.isNaN(x);
