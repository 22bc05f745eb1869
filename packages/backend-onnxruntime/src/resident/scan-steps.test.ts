import { conformancePrograms } from '@modelwright/backend-conformance';
import {
  type Backend,
  createReferenceBackend,
  type Executable,
  GraphBuilder,
  isModelwrightError,
  type Program,
  statelessProgram,
  type Tensor,
  type TensorMap,
  tensor,
  toNumbers,
  verify,
  zeros,
} from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import { createBindingDeviceBackend } from '../devices/cuda-backend.js';
import { createBindingEngine } from '../engine/binding/binding-engine.js';
import type { Engine, Session } from '../engine/engine.js';
import { scanSteps } from './scan-steps.js';

// The CPU provider stands in for CUDA's: the same lowering, the same graph of many steps.
let calls = 0;
const opened = createBindingEngine().then((engine) =>
  createBindingDeviceBackend(counting(engine), { device: 'cpu-by-steps', cpuFallback: true, sessionOptions: {} }),
);
afterAll(async () => (await opened).dispose());

/** The same engine, and how often its models are run. */
function counting(engine: Engine): Engine {
  const createSession: Engine['createSession'] = async (model, options) => {
    const session = await engine.createSession(model, options);
    const plan: Session['plan'] = (...names) => {
      const { run } = session.plan(...names);
      return {
        run: (...values) => {
          calls += 1;
          return run(...values);
        },
      };
    };
    return { inputs: session.inputs, outputs: session.outputs, plan, dispose: () => session.dispose() };
  };
  const { kind, version } = engine;
  return { kind, version, createSession, createValue: (t) => engine.createValue(t), dispose: () => engine.dispose() };
}

function expectNear(given: TensorMap, wanted: TensorMap, digits: number): void {
  expect(Object.keys(given).sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, expected] of Object.entries(wanted)) {
    const actual = given[name] as Tensor;
    expect([actual.dtype, actual.shape], name).toEqual([expected.dtype, expected.shape]);
    const numbers = toNumbers(actual);
    toNumbers(expected).forEach((number, index) => {
      expect(numbers[index], `${name}[${index}]`).toBeCloseTo(number, digits);
    });
  }
}

describe.each(conformancePrograms().map((each) => [each.name, each] as const))('%s', (_, { program, inputs }) => {
  const steps = 5;
  const given = Array.from({ length: steps }, (_, step) => inputs(step));

  it('is one valid graph, which the reference computes as it does single steps', async () => {
    const reference = createReferenceBackend();
    const { graph } = scanSteps(program);
    verify(graph);
    const stacked = Object.fromEntries(
      Object.keys(given[0] ?? {}).map((name) => [name, stackAll(given.map((each) => each[name] as Tensor))]),
    );
    const initial = Object.fromEntries(program.state.map(({ input, initial }) => [input, initial]));
    const whole = await (await reference.compile(statelessProgram(graph))).run({ ...initial, ...stacked });
    const single = await reference.compile(program);
    const results = await single.runMany(given);
    const state = await single.readState();
    const after = program.state.flatMap(({ name, output }) =>
      output === undefined ? [] : [[output, state[name] as Tensor] as const],
    );
    const made = Object.keys(results[0] ?? {}).map(
      (name) => [name, stackAll(results.map((each) => each[name] as Tensor))] as const,
    );
    expectNear(whole, Object.fromEntries([...after, ...made]), 5);
  });

  it('trains alike in one call and in single ones', async () => {
    const backend = await opened;
    const [one, many] = [await backend.compile(program), await backend.compile(program, { debug: true })];
    const single: TensorMap[] = [];
    for (const each of [...given, ...given]) single.push(await one.run(each));
    calls = 0;
    // A step alone, two calls, and a step alone again go on where the one before ended.
    const together = [
      await many.run(given[0] as TensorMap),
      ...(await many.runMany(given.slice(1))),
      ...(await many.runMany(given.slice(0, 4))),
      await many.run(given[4] as TensorMap),
    ];
    expect(calls).toBe(4);
    together.forEach((results, step) => {
      expectNear(results, single[step] as TensorMap, 5);
    });
    expectNear(await many.readState(), await one.readState(), 4);
    await Promise.all([one.dispose(), many.dispose()]);
  });
});

/** Numbers of the host, slots that hold what the caller gave, a slot nobody reads, a symbolic batch. */
function bookkeeping(): Program {
  const builder = new GraphBuilder('bookkeeping');
  const x = builder.input('x', 'float32', ['batch', 2]);
  const rate = builder.input('rate', 'float64', []);
  const count = builder.input('count', 'int64', []);
  const last = builder.input('last', 'float64', []);
  const sum = builder.input('sum', 'float32', [2]);
  builder.input('seen', 'float32', [2]);
  const before = builder.input('before', 'float32', [2]);
  const scale = builder.op('Cast', [builder.op('Add', [rate, last])], { to: 1 });
  const total = builder.op('ReduceSum', [x, builder.integers([0])], { keepdims: 0 });
  const next = builder.op('Add', [sum, builder.op('Mul', [total, scale])]);
  const later = builder.op('Add', [count, builder.scalar(1, 'int64')]);
  builder.output('y', builder.op('Add', [x, before]));
  builder.output('later', later);
  builder.output('rate seen', rate);
  for (const [name, value] of Object.entries({ count: later, last: rate, sum: next, seen: total, before: sum }))
    builder.output(`${name}.next`, value);
  const slot = (name: string, initial: Tensor) => ({ name, input: name, output: `${name}.next`, initial });
  return {
    graph: builder.build(),
    state: [
      slot('count', tensor(0n, { dtype: 'int64', shape: [] })),
      slot('last', tensor(0, { dtype: 'float64', shape: [] })),
      ...['sum', 'seen', 'before'].map((name) => slot(name, zeros('float32', [2]))),
    ],
  };
}

/** State alone: nothing is fed. */
function clockwork(): Program {
  const builder = new GraphBuilder('clockwork');
  const angle = builder.input('angle', 'float32', [2]);
  const turned = builder.op('MatMul', [
    angle,
    builder.constant([
      [0.8, 0.6],
      [-0.6, 0.8],
    ]),
  ]);
  builder.output('x', builder.op('ReduceSum', [turned], { keepdims: 0 }));
  builder.output('turned', turned);
  return {
    graph: builder.build(),
    state: [{ name: 'angle', input: 'angle', output: 'turned', initial: tensor([1, 0]) }],
  };
}

describe('runs in one call', () => {
  const runs = [3, 3, 1, 1, 1, 3].map((batch, step) => ({
    x: tensor(Array.from({ length: batch }, (_, row) => [row + step, row * step])),
    rate: tensor(0.5 + step, { dtype: 'float64', shape: [] }),
  }));

  async function both(program: Program, use: (executable: Executable) => Promise<TensorMap[]>): Promise<void> {
    const results: [TensorMap[], TensorMap][] = [];
    for (const backend of [await opened, createReferenceBackend()] as Backend[]) {
      const executable = await backend.compile(program);
      results.push([await use(executable), await executable.readState()]);
      await executable.dispose();
    }
    const [[given, state], [wanted, expected]] = results as [(typeof results)[0], (typeof results)[0]];
    given.forEach((each, step) => {
      expectNear(each, wanted[step] as TensorMap, 4);
    });
    expect(given.length).toBe(wanted.length);
    expectNear(state, expected, 3);
  }

  it('step on what the host keeps, and cut where shapes change', () =>
    both(bookkeeping(), (executable) => executable.runMany(runs)));

  it('give the outputs asked for, states among them', () =>
    both(bookkeeping(), async (executable) => [
      ...(await executable.runMany(runs, { outputs: ['later'] })),
      ...(await executable.runMany(runs, { outputs: ['y', 'sum.next'] })),
    ]));

  it('need no inputs', async () => {
    calls = 0;
    await both(clockwork(), (executable) => executable.runMany([{}, {}, {}]));
    expect(calls).toBe(1);
  });

  it('change nothing when one of them does not fit or when they are aborted', async () => {
    const executable = await (await opened).compile(bookkeeping());
    const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
      promise.catch((error: unknown) => (isModelwrightError(error) ? error.code : error));
    expect(await codeOf(executable.runMany([...runs, { x: runs[0]?.x as Tensor }]))).toBe('invalid-argument');
    expect(await codeOf(executable.runMany(runs, { signal: { aborted: true } }))).toBe('aborted');
    expect(toNumbers((await executable.readState(['count']))['count'] as Tensor)[0]).toBe(0);
    await executable.dispose();
  });

  it('are worth giving together, as the backend says', async () => {
    expect((await opened).capabilities.runsAtOnce).toBeGreaterThan(1);
  });
});

function stackAll(parts: readonly Tensor[]): Tensor {
  const { dtype, shape } = parts[0] as Tensor;
  return tensor(
    parts.flatMap((part) => [...toNumbers(part)]),
    { dtype, shape: [parts.length, ...shape] },
  );
}
