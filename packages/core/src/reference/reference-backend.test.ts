import { expect, test } from 'vitest';
import type { Executable } from '../backend.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { statelessProgram } from '../model.js';
import type { Program } from '../program.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { createReferenceBackend } from './reference-backend.js';

/** Adds `x` to a carried total; gives out twice the total. */
function counter(extent: number | 'n' = 2): Program {
  const builder = new GraphBuilder('counter');
  const total = builder.input('total', 'float32', [2]);
  const x = builder.input('x', 'float32', [extent, 2]);
  const next = builder.op('Add', [total, builder.op('ReduceSum', [x, builder.integers([0])], { keepdims: 0 })]);
  builder.output('next', next);
  builder.output('doubled', builder.op('Add', [next, next]) as Value);
  return {
    graph: builder.build(),
    state: [{ name: 'sum', input: 'total', output: 'next', initial: tensor([0, 0]) }],
  };
}

const backend = createReferenceBackend();
const totalOf = async (executable: Executable): Promise<readonly number[]> => [
  ...((await executable.readState())['sum'] as Tensor<'float32'>).data,
];
const ones = {
  x: tensor([
    [1, 2],
    [1, 2],
  ]),
};

test('carries state from run to run and does not hand it out', async () => {
  const executable = await backend.compile(counter());
  expect(await executable.run(ones)).toEqual({ doubled: tensor([4, 8]) });
  await executable.run(ones);
  expect(await totalOf(executable)).toEqual([4, 8]);
});

test('runMany equals runs in a row', async () => {
  const [one, many] = await Promise.all([backend.compile(counter()), backend.compile(counter())]);
  const inputs = [1, 2, 3].map((scale) => ({
    x: tensor([
      [scale, 0],
      [0, scale],
    ]),
  }));
  const expected = [];
  for (const each of inputs) expected.push(await one.run(each));
  expect(await many.runMany(inputs)).toEqual(expected);
  expect(await totalOf(many)).toEqual(await totalOf(one));
});

test('runs that are not awaited are queued in the order of their calls', async () => {
  const executable = await backend.compile(counter());
  const results = await Promise.all([1, 2, 3].map(() => executable.run(ones)));
  expect(results.map(({ doubled }) => (doubled as Tensor).data[0])).toEqual([4, 8, 12]);
});

test('two programs of different batch sizes share one state', async () => {
  const large = await backend.compile(counter(2));
  const small = await backend.compile(counter(1), { shareState: large });
  await large.run(ones);
  await small.run({ x: tensor([[5, 5]]) });
  expect(await totalOf(large)).toEqual([7, 9]);
  expect(await totalOf(small)).toEqual([7, 9]);
});

test('state is replaced by name, and refused by shape', async () => {
  const executable = await backend.compile(counter());
  await executable.writeState({ sum: tensor([10, 20]) });
  await executable.run(ones);
  expect(await totalOf(executable)).toEqual([12, 24]);
  await expect(executable.writeState({ sum: tensor([1, 2, 3]) })).rejects.toMatchObject({ code: 'shape-mismatch' });
  await expect(executable.readState(['other'])).rejects.toThrow("there is no state 'other'; there is: sum");
});

test('only the outputs asked for are returned', async () => {
  const executable = await backend.compile(counter());
  expect(Object.keys(await executable.run(ones, { outputs: ['next'] }))).toEqual(['next']);
});

test('an aborted run does not begin, and the state stays', async () => {
  const executable = await backend.compile(counter());
  const signal = { aborted: true, reason: 'enough' };
  await expect(executable.run(ones, { signal })).rejects.toMatchObject({ code: 'aborted', cause: 'enough' });
  expect(await totalOf(executable)).toEqual([0, 0]);
});

test('a failed run leaves the state as it was, and the next one runs', async () => {
  const executable = await backend.compile(counter());
  await expect(executable.run({ x: tensor([1]) })).rejects.toMatchObject({ code: 'shape-mismatch' });
  await executable.run(ones);
  expect(await totalOf(executable)).toEqual([2, 4]);
});

test('disposing the backend disposes its programs, once and for all', async () => {
  const own = createReferenceBackend();
  const executable = await own.compile(statelessProgram(counter().graph));
  await own.dispose();
  await own.dispose();
  await executable.dispose();
  await expect(executable.run(ones)).rejects.toMatchObject({ code: 'resource-disposed' });
});
