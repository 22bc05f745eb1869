import {
  createReferenceBackend,
  fromNumbers,
  fullTensor,
  type Graph,
  GraphBuilder,
  statelessProgram,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import { caseGraph, differenceOf, toleranceFor } from '../../../core/src/cases/index.js';
import { createBackend } from '../backend.js';
import { gradientFormCases, poolings } from './gradient-forms.cases.js';

const runtime = createBackend();
const reference = createReferenceBackend();
afterAll(async () => (await runtime).dispose());

async function expectEqual(graph: Graph, inputs: TensorMap, accumulation = 1): Promise<void> {
  const expected = await (await reference.compile(statelessProgram(graph))).run(inputs);
  const actual = await (await (await runtime).compile(statelessProgram(graph), { debug: true })).run(inputs);
  for (const [name, tensor] of Object.entries(expected))
    expect(
      differenceOf(actual[name] as Tensor, tensor, toleranceFor(tensor.dtype, 4 * accumulation)),
      name,
    ).toBeUndefined();
}

describe('fast forms equal the definition', () => {
  it.each(gradientFormCases.map((opCase) => [opCase.id, opCase] as const))('%s', async (_id, opCase) => {
    const { graph, inputs } = caseGraph(opCase);
    await expectEqual(graph, inputs, opCase.accumulation);
  });
});

describe('the gradient of a maximum pooling, ties included', () => {
  it.each(poolings)('%j', async ({ x: shape, attributes }) => {
    const builder = new GraphBuilder('pooling');
    const count = shape.reduce<number>((product, extent) => product * extent, 1);
    // Few different values, so that windows have several equal maxima.
    const x = fromNumbers(
      'float32',
      shape,
      Float64Array.from({ length: count }, (_, index) => (index * 7919) % 3),
    );
    const input = builder.input('x', 'float32', shape);
    const y = builder.op('MaxPool', [input], { ...attributes, storage_order: 0 });
    const dy = builder.input('dy', 'float32', y.shape);
    builder.output('y', y);
    builder.output('dx', builder.op('MaxPoolGradient', [input, y, dy], attributes));
    const length = y.shape.reduce<number>((product, extent) => product * Number(extent), 1);
    const gradient = fromNumbers(
      'float32',
      y.shape as number[],
      Float64Array.from({ length }, (_, index) => index + 1),
    );
    await expectEqual(builder.build(), { x, dy: gradient });
  });

  it.each(poolings)('stays inside its memory when everything is NaN: %j', async ({ x: shape, attributes }) => {
    const builder = new GraphBuilder('pooling');
    const input = builder.input('x', 'float32', shape);
    const y = builder.op('MaxPool', [input], { ...attributes, storage_order: 0 });
    builder.output('dx', builder.op('MaxPoolGradient', [input, y, y], attributes));
    const executable = await (await runtime).compile(statelessProgram(builder.build()));
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
      const { dx } = await executable.run({ x: fullTensor('float32', shape, value) });
      expect(dx?.shape).toEqual(shape);
    }
  });
});
