import {
  createReferenceBackend,
  fromNumbers,
  GraphBuilder,
  type Program,
  statelessProgram,
  type Tensor,
  tensor,
  toNumbers,
} from '@modelwright/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBackend, type WasmBackend } from './create-backend.js';

let backend: WasmBackend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(() => backend.dispose());

const waves = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, at) => Math.sin(at * 0.7)),
  );
};

function product(a: readonly number[], b: readonly number[]): Program {
  const builder = new GraphBuilder('product');
  const [left, right] = [builder.input('a', 'float32', a), builder.input('b', 'float32', b)];
  builder.output('y', builder.op('MatMul', [left, right]));
  return statelessProgram(builder.build());
}

// Large enough to be multiplied one by one.
test.each([
  [
    [6, 40, 33],
    [6, 33, 37],
  ],
  [
    [2, 3, 40, 33],
    [1, 3, 33, 37],
  ],
])('a batch of products %j · %j', async (a, b) => {
  const inputs = { a: waves(a), b: waves(b) };
  const expected = toNumbers(
    (await (await createReferenceBackend().compile(product(a, b))).run(inputs))['y'] as Tensor,
  );
  const executable = await backend.compile(product(a, b));
  const actual = toNumbers((await executable.run(inputs))['y'] as Tensor);
  expect(Math.max(...actual.map((value, at) => Math.abs(value - (expected[at] as number))))).toBeLessThan(1e-4);
  await executable.dispose();
});

test('holds the same number of tensors after ten thousand runs of many batch sizes', async () => {
  const builder = new GraphBuilder('dense');
  const x = builder.input('x', 'float32', ['batch', 4]);
  const hidden = builder.op('Relu', [builder.op('Gemm', [x, builder.constant(waves([4, 3]))], {})]);
  builder.output('y', builder.op('Softmax', [hidden], { axis: -1 }));
  const executable = await backend.compile(statelessProgram(builder.build()));
  await executable.run({ x: waves([1, 4]) });
  const before = backend.tensorCount();
  for (let run = 0; run < 10_000; run++) await executable.run({ x: waves([1 + (run % 5), 4]) });
  expect(backend.tensorCount()).toBe(before);
  await executable.dispose();
});

test('a label out of range is refused, and nothing is lost', async () => {
  const builder = new GraphBuilder('loss');
  const scores = builder.input('scores', 'float32', [2, 3]);
  const labels = builder.input('labels', 'int64', [2]);
  const loss = builder.node('SparseSoftmaxCrossEntropy', [scores, labels])[0];
  builder.output('loss', loss as NonNullable<typeof loss>);
  const executable = await backend.compile(statelessProgram(builder.build()));
  const run = (label: bigint): Promise<unknown> =>
    executable.run({ scores: waves([2, 3]), labels: tensor([0n, label], { dtype: 'int64' }) });
  await run(1n);
  const before = backend.tensorCount();
  await expect(run(3n)).rejects.toMatchObject({
    code: 'value-out-of-range',
    message: expect.stringMatching(/label 3/),
  });
  expect(backend.tensorCount()).toBe(before);
  await executable.dispose();
});
