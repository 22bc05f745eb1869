import { dtypeOfOnnx, fullTensor, onnxDataType } from '@modelwright/core';
import type { Rewrite } from './lowering.js';

/** A spread of 0 gives the mean everywhere; the runtime ends the whole process on it. */
export const randomNormal: Rewrite<'RandomNormal'> = ({ builder, attributes }) => {
  const { dtype, mean, scale, shape } = attributes;
  return scale > 0 ? 'keep' : [builder.constant(fullTensor(dtypeOfOnnx(dtype), shape, mean))];
};

/** As {@link randomNormal}, in the shape of the input. */
export const randomNormalLike: Rewrite<'RandomNormalLike'> = ({ builder, input, attributes }) => {
  const { dtype = onnxDataType(input(0).dtype), mean, scale } = attributes;
  if (scale > 0) return 'keep';
  const value = fullTensor(dtypeOfOnnx(dtype), [1], mean);
  return [builder.op('ConstantOfShape', [builder.op('Shape', [input(0)])], { value })];
};

/** `[u < p]` with a uniform `u`: the runtime's own op draws 1 with probability `1 − p`. */
export const bernoulli: Rewrite<'Bernoulli'> = ({ builder, input, attributes }) => {
  const p = input(0);
  const { dtype = onnxDataType(p.dtype), seed } = attributes;
  const uniform = builder.op('RandomUniformLike', [p], { low: 0, high: 1, ...(seed === undefined ? {} : { seed }) });
  return [builder.op('Cast', [builder.op('Less', [uniform, p])], { to: dtype })];
};
