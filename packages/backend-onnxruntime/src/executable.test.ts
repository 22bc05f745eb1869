import {
  createReferenceBackend,
  type Executable,
  fullTensor,
  GraphBuilder,
  isModelwrightError,
  type Program,
  statelessProgram,
  Tensor,
  type TensorMap,
  tensor,
} from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import { mlpInputs, mlpProgram, random } from '../test/training-program.js';
import { createBackend } from './backend.js';

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isModelwrightError(error) ? error.code : String(error)),
  );
}

/** `y = x · 2`, with a symbolic batch. */
function doubling(): Program {
  const builder = new GraphBuilder('doubling');
  const x = builder.input('x', 'float32', ['batch', 3]);
  builder.output('y', builder.op('Mul', [x, builder.scalar(2, 'float32')]));
  builder.output('same', x);
  builder.output('literal', builder.constant([5, 6]));
  return statelessProgram(builder.build());
}

/** A sum that the runtime keeps (a product of matrices is no elementwise update), and a count that the host keeps. */
function accumulating(): Program {
  const builder = new GraphBuilder('accumulating');
  const x = builder.input('x', 'float32', [2, 2]);
  const sum = builder.input('sum', 'float32', [2, 2]);
  const count = builder.input('count', 'int64', []);
  const last = builder.input('last', 'float32', [2, 2]);
  builder.output(
    'sum.next',
    builder.op('MatMul', [
      builder.op('Add', [x, sum]),
      builder.constant([
        [1, 1],
        [0, 1],
      ]),
    ]),
  );
  builder.output('count.next', builder.op('Add', [count, builder.scalar(1, 'int64')]));
  builder.output('last.next', x);
  builder.output('before', last);
  return {
    graph: builder.build(),
    state: [
      {
        name: 'sum',
        input: 'sum',
        output: 'sum.next',
        initial: tensor([
          [0, 0],
          [0, 0],
        ]),
      },
      { name: 'count', input: 'count', output: 'count.next', initial: tensor(0n) },
      {
        name: 'last',
        input: 'last',
        output: 'last.next',
        initial: tensor([
          [-1, -1],
          [-1, -1],
        ]),
      },
    ],
  };
}

/** Every way a state may be written by elementwise passes, masks and scalars included; `a` and `b` change places. */
function updating(): Program {
  const builder = new GraphBuilder('updating');
  const shape = [3, 5];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => builder.input(name, 'float32', shape));
  const gradient = builder.input('gradient', 'float32', shape);
  const scale = builder.input('scale', 'float32', []);
  const norm = builder.op('ReduceL2', [gradient], { keepdims: 0 });
  const isLarge = builder.op('Greater', [norm, builder.scalar(2, 'float32')]);
  const factor = builder.op('Div', [scale, builder.op('Max', [norm, builder.scalar(1, 'float32')])]);
  const clipped = builder.op('Mul', [gradient, factor]);
  const flags = builder.op('Greater', [clipped, builder.scalar(0, 'float32')]);
  const signs = builder.op('Add', [builder.op('Sign', [clipped]), builder.op('Cast', [flags], { to: 1 })]);
  const mixed = builder.op('Where', [
    builder.op('And', [flags, builder.op('Not', [builder.op('Less', [a, b])])]),
    signs,
    c,
  ]);
  const chosen = builder.op('Where', [isLarge, mixed, builder.op('Pow', [c, builder.scalar(-0.5, 'float32')])]);
  const limited = builder.op('Clip', [chosen, undefined, builder.scalar(1.5, 'float32')]);
  builder.output('a.next', b as NonNullable<typeof b>);
  builder.output('b.next', a as NonNullable<typeof a>);
  builder.output(
    'c.next',
    builder.op('Reshape', [builder.op('Reshape', [limited, builder.integers([15])]), builder.integers(shape)]),
  );
  builder.output('norm', norm);
  const slot = (name: string, seed: number) => ({
    name,
    input: name,
    output: `${name}.next`,
    initial: random(shape, seed),
  });
  return {
    graph: builder.build(),
    state: [slot('a', 1), slot('b', 2), { ...slot('c', 3), initial: fullTensor('float32', shape, 0.25) }],
  };
}

/** Random numbers whose counter is part of the state, and a mask made of them. */
function dropping(): Program {
  const builder = new GraphBuilder('dropping');
  const counter = builder.input('counter', 'int64', []);
  const x = builder.input('x', 'float32', [3, 7]);
  const uniform = builder.op('CounterUniform', [counter], { seed: 99, shape: [3, 7], dtype: 1 });
  const mask = builder.op('GreaterOrEqual', [uniform, builder.scalar(0.4, 'float32')]);
  builder.output('uniform', uniform);
  builder.output('y', builder.op('Where', [mask, x, builder.scalar(0, 'float32')]));
  builder.output('counter.next', builder.op('Add', [counter, builder.scalar(1, 'int64')]));
  const initial = tensor(4_294_967_290n, { dtype: 'int64' });
  return { graph: builder.build(), state: [{ name: 'counter', input: 'counter', output: 'counter.next', initial }] };
}

describe.each([{ engine: 'native' }, { engine: 'binding' }, { engine: 'binding', worker: true }] as const)(
  'executables with %j',
  (options) => {
    const opened = createBackend(options);
    const reference = createReferenceBackend();
    afterAll(async () => (await opened).dispose());
    const compile = async (program: Program): Promise<Executable> => (await opened).compile(program, { debug: true });

    async function expectTrace(program: Program, inputs: readonly TensorMap[]): Promise<void> {
      const [given, wanted] = [await compile(program), await reference.compile(program)];
      for (const each of inputs) {
        const [actual, expected] = [await given.run(each), await wanted.run(each)];
        for (const [name, { data }] of Object.entries(expected))
          Array.from(data as Float32Array).forEach((value, index) => {
            expect(Number(actual[name]?.data[index]), name).toBeCloseTo(value, 5);
          });
      }
      const [actual, expected] = [await given.readState(), await wanted.readState()];
      for (const [name, { data }] of Object.entries(expected))
        Array.from(data as Float32Array).forEach((value, index) => {
          expect(Number(actual[name]?.data[index]), name).toBeCloseTo(Number(value), 5);
        });
    }

    it('runs batches of any size, also at the same time, and hands through inputs and constants', async () => {
      const executable = await compile(doubling());
      const inputs = [1, 4, 2].map((batch) => ({ x: random([batch, 3], batch) }));
      const results = await Promise.all(inputs.map((each) => executable.run(each)));
      results.forEach(({ y, same, literal }, index) => {
        const x = inputs[index]?.x as Tensor;
        expect(y).toEqual(
          new Tensor(
            'float32',
            x.shape,
            (x.data as Float32Array).map((value) => value * 2),
          ),
        );
        expect(same).toEqual(x);
        expect(same?.data).not.toBe(x.data);
        expect(literal?.data).toEqual(Float32Array.of(5, 6));
      });
      expect(Object.keys(await executable.run({ x: random([1, 3], 1) }, { outputs: ['y'] }))).toEqual(['y']);
    });

    it('carries state that the runtime, the host and the caller write', async () => {
      await expectTrace(
        accumulating(),
        [1, 2, 3].map((seed) => ({ x: random([2, 2], seed) })),
      );
    });

    it('compiles updates with masks, clipping and exchanged slots', async () => {
      const inputs = [1, 2, 3].map((seed) => ({ gradient: random([3, 5], seed + 40, seed), scale: tensor(0.5) }));
      await expectTrace(updating(), inputs);
    });

    it('updates more elements than it takes at a time, and odd ones at the end', async () => {
      const builder = new GraphBuilder('large');
      const shape = [3, 333_337];
      const weight = builder.input('weight', 'float32', shape);
      const rate = builder.input('rate', 'float32', []);
      const shrunk = builder.op('Sub', [weight, builder.op('Mul', [weight, rate])]);
      builder.output('next', shrunk);
      const initial = random(shape, 5);
      const slot = { name: 'weight', input: 'weight', output: 'next', initial };
      const executable = await compile({ graph: builder.build(), state: [slot] });
      await executable.run({ rate: tensor(0.25) });
      const { weight: after } = await executable.readState();
      expect(after?.data).toEqual((initial.data as Float32Array).map((value) => value - Math.fround(value * 0.25)));
    });

    it('makes the random numbers of the reference, bit for bit, over the 32-bit border of the counter', async () => {
      const [given, wanted] = [await compile(dropping()), await reference.compile(dropping())];
      for (let step = 0; step < 12; step++) {
        const inputs = { x: random([3, 7], step) };
        expect((await given.run(inputs))['uniform']).toEqual((await wanted.run(inputs))['uniform']);
      }
    });

    it('queues runs that carry state in the order of their calls', async () => {
      const [at_once, one_by_one] = [await compile(accumulating()), await compile(accumulating())];
      const inputs = [1, 2, 3, 4, 5].map((seed) => ({ x: random([2, 2], seed) }));
      await Promise.all(inputs.map((each) => at_once.run(each)));
      await one_by_one.runMany(inputs);
      expect(await at_once.readState()).toEqual(await one_by_one.readState());
      expect((await at_once.run(inputs[0] as TensorMap, { outputs: ['count.next'] }))['count.next']?.data[0]).toBe(6n);
    });

    it('reads and writes state as copies', async () => {
      const executable = await compile(accumulating());
      const { sum } = await executable.readState(['sum']);
      (sum as Tensor<'float32'>).data.fill(100);
      expect((await executable.readState(['sum']))['sum']?.data[0]).toBe(0);
      await executable.writeState({ count: tensor(41n) });
      await executable.run({ x: random([2, 2], 1) });
      expect((await executable.readState())['count']?.data[0]).toBe(42n);
      expect(await codeOf(executable.writeState({ count: tensor(1n), sum: tensor([1]) }))).toBe('shape-mismatch');
      expect(await codeOf(executable.readState(['missing']))).toBe('invalid-argument');
      expect((await executable.readState())['count']?.data[0]).toBe(42n);
    });

    it('shares one state between batch sizes', async () => {
      const [large, small] = [
        { widths: [6, 8, 2], batch: 16 },
        { widths: [6, 8, 2], batch: 3 },
      ];
      const first = await compile(mlpProgram(large));
      const second = await (await opened).compile(mlpProgram(small), { shareState: first });
      const [wanted, other] = [await reference.compile(mlpProgram(large)), mlpProgram(small)];
      const wantedSecond = await reference.compile(other, { shareState: wanted });
      for (let step = 0; step < 3; step++) {
        for (const executable of [first, wanted]) await executable.run(mlpInputs(large, step));
        for (const executable of [second, wantedSecond]) await executable.run(mlpInputs(small, step));
      }
      const [actual, expected] = [await second.readState(), await wanted.readState()];
      expect(Object.keys(actual)).toEqual(Object.keys(expected));
      for (const [name, { data }] of Object.entries(expected))
        Array.from(data as Float32Array).forEach((value, index) => {
          expect(Number(actual[name]?.data[index]), name).toBeCloseTo(Number(value), 4);
        });
      await first.dispose();
      await second.run(mlpInputs(small, 9));
    });

    it('refuses wrong inputs, aborted runs and use after disposal', async () => {
      const executable = await compile(doubling());
      expect(await codeOf(executable.run({}))).toBe('invalid-argument');
      expect(await codeOf(executable.run({ x: random([2, 4], 1) }))).toBe('shape-mismatch');
      expect(await codeOf(executable.run({ x: tensor([[1, 2, 3]], { dtype: 'int32' }) }))).toBe('dtype-mismatch');
      expect(await codeOf(executable.run({ x: random([2, 3], 1) }, { signal: AbortSignal.abort() }))).toBe('aborted');
      await executable.dispose();
      await executable.dispose();
      expect(await codeOf(executable.run({ x: random([2, 3], 1) }))).toBe('resource-disposed');
    });
  },
);
