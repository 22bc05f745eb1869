import { type GraphBuilder, onnxDataType, type Value } from '@modelwright/core';
import type { Rewrite } from '../lowering.js';

/** `[x > 0] − [x < 0]` */
export const sign: Rewrite<'Sign'> = ({ builder, input }) => {
  const x = input(0);
  const zero = builder.scalar(0, x.dtype);
  const truth = (op: 'Greater' | 'Less'): Value => asNumbers(builder, builder.op(op, [x, zero]), x);
  return [builder.op('Sub', [truth('Greater'), truth('Less')])];
};

/** The nearest integer, of two equally near ones the even: with `f = ⌊x⌋` and `d = x − f`, `f` below a half, `f + 1` above, `2⌊(x + ½)/2⌋` at it. */
export const round: Rewrite<'Round'> = ({ builder, input }) => {
  const x = input(0);
  const number = (value: number): Value => builder.scalar(value, x.dtype);
  const floor = builder.op('Floor', [x]);
  const rest = builder.op('Sub', [x, floor]);
  const even = builder.op('Mul', [
    builder.op('Floor', [builder.op('Mul', [builder.op('Add', [x, number(0.5)]), number(0.5)])]),
    number(2),
  ]);
  const above = builder.op('Where', [
    builder.op('Greater', [rest, number(0.5)]),
    builder.op('Add', [floor, number(1)]),
    even,
  ]);
  return [builder.op('Where', [builder.op('Less', [rest, number(0.5)]), floor, above])];
};

/** `x − y·trunc(x/y)` of floating-point numbers, what `fmod` means; integers are left to the CPU. */
export const mod: Rewrite<'Mod'> = ({ builder, input }) => {
  const [x, y] = [input(0), input(1)];
  if (x.dtype !== 'float32') return 'keep';
  const ratio = builder.op('Div', [x, y]);
  const whole = builder.op('Where', [
    builder.op('Less', [ratio, builder.scalar(0, x.dtype)]),
    builder.op('Ceil', [ratio]),
    builder.op('Floor', [ratio]),
  ]);
  return [builder.op('Sub', [x, builder.op('Mul', [whole, y])])];
};

/** `x · min(max(x/6 + ½, 0), 1)` */
export const hardSwish: Rewrite<'HardSwish'> = ({ builder, input }) => [
  builder.op('Mul', [input(0), builder.op('HardSigmoid', [input(0)], { alpha: 1 / 6, beta: 0.5 })]),
];

/** Truth as 1 and 0 of the type of `like`. */
export function asNumbers(builder: GraphBuilder, truth: Value, like: Value): Value {
  return builder.op('Cast', [truth], { to: onnxDataType(like.dtype) });
}
