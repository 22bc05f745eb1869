import { type GraphBuilder, isConcrete, type OpAttributes, type Value } from '@modelwright/core';
import { convolution } from '../convolution.js';
import type { Rewrite } from '../lowering.js';

/**
 * The provider's shader for four filters at a time reads wrong places where the channels are a multiple of three but not of four, and
 * where a group has another number of filters; both give wrong numbers without a word (ONNX Runtime 1.30). The first gets channels of zeros, the
 * second one convolution a group.
 */
export const conv: Rewrite<'Conv'> = (context) => {
  const { builder, inputs, input, attributes } = context;
  const [x, weight] = [input(0), input(1)];
  if (!isConcrete(weight.shape) || typeof x.shape[1] !== 'number' || x.shape.length > 4) return convolution(context);
  const [filters, channels] = weight.shape as readonly [number, number];
  if (attributes.group > 1 && splitsFours(filters, attributes.group))
    return [convolveGroups(builder, inputs, attributes)];
  if (attributes.group === 1 && filters % 4 === 0 && channels > 3 && channels % 3 === 0 && channels % 4 !== 0) {
    const missing = 4 - (channels % 4);
    const widen = (value: Value): Value => {
      const before = value.shape.map(() => 0);
      return builder.op('Pad', [value, builder.integers([...before, 0, missing, 0, 0])]);
    };
    return [builder.op('Conv', [widen(x), widen(weight), inputs[2]], attributes)];
  }
  return convolution(context);
};

/** Whether four filters in a row may belong to different groups. */
function splitsFours(filters: number, group: number): boolean {
  const each = filters / group;
  return each > 1 && filters % 4 === 0 && each % 4 !== 0;
}

function convolveGroups(
  builder: GraphBuilder,
  [x, weight, bias]: readonly (Value | undefined)[],
  attributes: OpAttributes['Conv'],
): Value {
  const { group } = attributes;
  const parts = (value: Value, axis: number): readonly Value[] => {
    const sizes = builder.integers(Array<number>(group).fill((value.shape[axis] as number) / group));
    return builder.node('Split', [value, sizes], { axis }, { outputs: group });
  };
  const [xs, weights] = [parts(x as Value, 1), parts(weight as Value, 0)];
  const biases = bias === undefined ? undefined : parts(bias, 0);
  const results = xs.map((part, index) =>
    builder.op('Conv', [part, weights[index], biases?.[index]], { ...attributes, group: 1 }),
  );
  return builder.op('Concat', results, { axis: 1 });
}
