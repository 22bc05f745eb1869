import {
  backpropagate,
  createReferenceBackend,
  fromNumbers,
  type Graph,
  GraphBuilder,
  statelessProgram,
  type Tensor,
  verify,
} from '@modelwright/core';
import { afterAll, expect, it } from 'vitest';
import { createBackend } from '../backend.js';
import { poolBeforeRelu } from './pool-before-relu.js';

const runtime = createBackend();
afterAll(async () => (await runtime).dispose());

const shape = [2, 3, 6, 7];

/** Few different numbers, many of them not above 0: windows with equal maxima, and with none that passes a gradient. */
function steps(extents: readonly number[], period: number): Tensor {
  const length = extents.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    extents,
    Float64Array.from({ length }, (_, index) => ((index * 7919) % period) - 2),
  );
}

function pooled(isShared: boolean): Graph {
  const builder = new GraphBuilder('rectified pooling');
  const z = builder.input('z', 'float32', shape);
  const rectified = builder.op('Relu', [z]);
  const window = { kernel_shape: [2, 3], strides: [2, 2], auto_pad: 'NOTSET', ceil_mode: 0, storage_order: 0 } as const;
  const y = builder.op('MaxPool', [rectified], window);
  const dy = builder.input('dy', 'float32', y.shape);
  const [dz] = backpropagate(builder, [{ value: y, gradient: dy }], [z]);
  builder.output('y', y);
  if (dz !== undefined) builder.output('dz', dz);
  if (isShared) builder.output('rectified', rectified);
  return builder.build();
}

it('gives the same values and gradients, ties and negative windows included', async () => {
  const graph = pooled(false);
  const exchanged = poolBeforeRelu(graph);
  verify(exchanged);
  const order = exchanged.nodes.map(({ op }) => op).filter((op) => op === 'Relu' || op === 'MaxPool');
  expect(order).toEqual(['MaxPool', 'Relu']);
  const inputs = { z: steps(shape, 5), dy: steps([2, 3, 3, 3], 11) };
  const reference = await createReferenceBackend().compile(statelessProgram(graph));
  const executable = await (await runtime).compile(statelessProgram(graph), { debug: true });
  expect(await executable.run(inputs)).toEqual(await reference.run(inputs));
});

it('leaves a rectified value alone that others read too', () => {
  const graph = pooled(true);
  expect(poolBeforeRelu(graph)).toBe(graph);
});
