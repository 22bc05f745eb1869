import { modelwrightDomain } from '../graph/graph.js';
import { tensor } from '../tensor/tensor.js';
import type { AttentionAttributes } from './attention.js';
import { extentAt, positionsUpTo } from './attention-positions.js';
import type { OpDefinition } from './definition.js';
import { exactly, requireAxis } from './rules.js';

/**
 * `0, 1, …, T − 1` for the `T` places along an axis. What depends on positions reads them here, so that a program that sees
 * a few positions at a time can shift them.
 */
export const positions: OpDefinition<AttentionAttributes['Positions']> = {
  domain: modelwrightDomain,
  inputs: exactly(1),
  outputs: exactly(1),
  attributes: { axis: { kind: 'int', default: 1 } },
  infer: (context) => {
    const { shape } = context.input(0);
    const axis = requireAxis(context, context.attributes.axis, shape.length);
    return [{ dtype: 'int64', shape: shape.slice(axis, axis + 1) }];
  },
  gradient: () => [undefined],
  evaluate: (context) => {
    const count = context.input(0).shape.at(context.attributes.axis) as number;
    const places = Array.from({ length: count }, (_, place) => place);
    return [tensor(places, { dtype: 'int64', shape: [count] })];
  },
  decompose: ({ builder, input, attributes }) => [positionsUpTo(builder, extentAt(builder, input(0), attributes.axis))],
};
