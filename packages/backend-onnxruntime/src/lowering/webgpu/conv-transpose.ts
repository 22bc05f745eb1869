import { isConcrete, type Value } from '@modelwright/core';
import type { Rewrite } from '../lowering.js';

/** The provider computes groups wrongly, so each is a transposed convolution of its own. */
export const convTranspose: Rewrite<'ConvTranspose'> = ({ builder, inputs, input, attributes }) => {
  const { group } = attributes;
  const [x, weight, bias] = [input(0), input(1), inputs[2]];
  if (group === 1 || !isConcrete(weight.shape) || typeof x.shape[1] !== 'number') return 'keep';
  const parts = (value: Value, axis: number): readonly Value[] => {
    const each = (value.shape[axis] as number) / group;
    const sizes = builder.integers(Array<number>(group).fill(each));
    return builder.node('Split', [value, sizes], { axis }, { outputs: group });
  };
  const [xs, weights] = [parts(x, 1), parts(weight, 0)];
  const biases = bias === undefined ? undefined : parts(bias, 0);
  const results = xs.map((part, index) =>
    builder.op('ConvTranspose', [part, weights[index], biases?.[index]], { ...attributes, group: 1 }),
  );
  return [builder.op('Concat', results, { axis: 1 })];
};
