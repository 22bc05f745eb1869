import { castTensor, GraphBuilder, Model, tensor, zeros } from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { describeModel } from './describe-model.js';
import { fitInput, stackBatches } from './fit-input.js';
import { summarize } from './measure.js';
import { bindShape, randomInputs } from './random-inputs.js';

function twoLayerModel(): Model {
  const builder = new GraphBuilder('two-layers');
  const x = builder.input('x', 'float32', ['batch', 3]);
  const weight = builder.constant(zeros('float32', [3, 2]), { name: 'dense.kernel' });
  const hidden = builder.op('Relu', [builder.op('MatMul', [x, weight])]);
  const flat = builder.op('Reshape', [hidden, builder.integers([-1])]);
  builder.output('y', builder.op('Relu', [flat]));
  return new Model({ name: 'two-layers', graph: builder.build(), parameters: [] });
}

describe('describing a model', () => {
  test('counts nodes by op, and parameters but not shapes', () => {
    const description = describeModel(twoLayerModel());
    expect(description).toMatchObject({ nodeCount: 4, parameterCount: 6, parameterBytes: 24 });
    expect(description.parametersByDtype).toEqual({ float32: 6 });
    expect(description.ops[0]).toEqual({ op: 'Relu', domain: '', count: 2, known: true });
    expect(description.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: ['batch', 3] }]);
  });

  test('four-bit weights take half a byte', () => {
    const builder = new GraphBuilder('quantized');
    const weight = builder.constant(castTensor(zeros('float32', [4, 4]), 'int4'), { name: 'w' });
    builder.output('y', builder.op('Identity', [weight]));
    const description = describeModel(new Model({ name: 'q', graph: builder.build(), parameters: [] }));
    expect(description).toMatchObject({ parameterCount: 16, parameterBytes: 8 });
  });
});

describe('fitting values to inputs', () => {
  const image = { name: 'image', dtype: 'float32', shape: ['batch', 2] } as const;

  test('float64 and integers become float32, one sample a batch, and it says so', () => {
    const fitted = fitInput(image, tensor([1, 2], { dtype: 'int64' }));
    expect(fitted.tensor).toEqual(tensor([[1, 2]]));
    expect(fitted.notes).toEqual(["'image': converted from int64 to float32", "'image': [2] taken as a batch of one"]);
  });

  test('grey images get their channel', () => {
    const grey = { name: 'image', dtype: 'float32', shape: ['batch', 2, 2, 1] } as const;
    expect(fitInput(grey, zeros('float32', [3, 2, 2])).tensor.shape).toEqual([3, 2, 2, 1]);
    expect(fitInput(grey, zeros('float32', [2, 2])).tensor.shape).toEqual([1, 2, 2, 1]);
    expect(fitInput(grey, zeros('float32', [3, 3, 2])).tensor.shape).toEqual([3, 3, 2]);
  });

  test('what fits stays the same object', () => {
    const given = tensor([[1, 2]]);
    expect(fitInput(image, given)).toEqual({ tensor: given, notes: [] });
    expect(fitInput(image, given).tensor).toBe(given);
  });

  test('fractions are never cut to integers', () => {
    const ids = { name: 'ids', dtype: 'int64', shape: [2] } as const;
    expect(fitInput(ids, tensor([1.5, 2])).tensor.dtype).toBe('float32');
  });

  test('batches are joined', () => {
    expect(
      stackBatches('x', [
        tensor([[1, 2]]),
        tensor([
          [3, 4],
          [5, 6],
        ]),
      ]),
    ).toEqual(
      tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    );
    expect(() => stackBatches('x', [tensor([[1, 2]]), tensor([[1]])])).toThrow(
      expect.objectContaining({ code: 'shape-mismatch' }),
    );
  });
});

describe('random inputs', () => {
  const inputs = [
    { name: 'x', dtype: 'float32', shape: ['batch', 'width', 3] },
    { name: 'ids', dtype: 'int64', shape: ['batch', 8] },
  ] as const;

  test('fill the shapes, the same for the same seed', () => {
    const made = randomInputs(inputs, { batch: 2, width: 4 });
    expect([made['x']!.shape, made['ids']!.shape]).toEqual([
      [2, 4, 3],
      [2, 8],
    ]);
    expect(made).toEqual(randomInputs(inputs, { batch: 2, width: 4 }));
    expect(made).not.toEqual(randomInputs(inputs, { batch: 2, width: 4 }, 2));
    for (const id of made['ids']!.data) expect([0n, 1n]).toContain(id);
  });

  test('the first axis is one by default, others must be given', () => {
    expect(bindShape('x', ['batch', 3], {})).toEqual([1, 3]);
    expect(() => randomInputs(inputs, {})).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        details: expect.objectContaining({ hint: expect.stringContaining('--dim width=N') }),
      }),
    );
  });
});

test('a summary of durations', () => {
  const durations = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect(summarize(durations, 5000)).toEqual({
    runCount: 100,
    minimumMilliseconds: 1,
    medianMilliseconds: 50,
    p95Milliseconds: 95,
    maximumMilliseconds: 100,
    runsPerSecond: 20,
  });
});
