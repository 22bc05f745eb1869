import { fromNumbers, GraphBuilder, type Program, toNumbers } from '@modelwright/core';
import { afterAll, expect, test } from 'vitest';
import { createBackend } from '../backend.js';

const count = 2 ** 17 + 5;

/** Momentum over two slots of different length: `m′ = 0.9·m + g·s`, `w′ = w − m′`; the host computes all of it. */
function momentum(name: string, rate: number): Program {
  const builder = new GraphBuilder(name);
  const scale = builder.input('scale', 'float32', []);
  const state = [count, 7].flatMap((extent, index) => {
    const w = builder.input(`w${index}`, 'float32', [extent]);
    const m = builder.input(`m${index}`, 'float32', [extent]);
    const g = builder.op('Mul', [builder.op('Sqrt', [builder.op('Abs', [w])]), scale]);
    const next = builder.op('Add', [builder.op('Mul', [m, builder.scalar(rate, 'float32')]), g]);
    builder.output(`next_m${index}`, next);
    builder.output(`next_w${index}`, builder.op('Sub', [w, next]));
    const numbers = Float32Array.from({ length: extent }, (_, at) => ((at * 7919) % 1000) / 500 - 1);
    const zeros = fromNumbers('float32', [extent], new Array(extent).fill(0));
    return [
      {
        name: `w${index}`,
        input: `w${index}`,
        output: `next_w${index}`,
        initial: fromNumbers('float32', [extent], [...numbers]),
      },
      { name: `m${index}`, input: `m${index}`, output: `next_m${index}`, initial: zeros },
    ];
  });
  const graph = builder.build();
  const outputs = graph.outputs.map(({ name: output }) => output);
  return { graph, state, outputs } as Program;
}

const opened = createBackend({ engine: 'native', threads: 3 });
const alone = createBackend({ engine: 'native', threads: 1 });
afterAll(async () => Promise.all([(await opened).dispose(), (await alone).dispose()]));

const scale = fromNumbers('float32', [], [0.01]);

test('threads that share the passes compute bit for bit what one thread does', async () => {
  const [team, one] = [await opened, await alone];
  const program = momentum('momentum', 0.9);
  const [shared, single] = [await team.compile(program), await one.compile(program)];
  for (let step = 0; step < 12; step++) {
    await shared.run({ scale }, { outputs: [] });
    await single.run({ scale }, { outputs: [] });
  }
  const [given, wanted] = [await shared.readState(), await single.readState()];
  expect(given).toEqual(wanted);
  expect(toNumbers(given['w1'] as never)).not.toEqual(toNumbers(program.state[2]?.initial as never));
  await Promise.all([shared.dispose(), single.dispose()]);
});

test('several programs take turns with the same threads, and come and go', async () => {
  const team = await opened;
  for (let round = 0; round < 6; round++) {
    const programs = await Promise.all([0.5, 0.9].map((rate) => team.compile(momentum(`rate ${rate}`, rate))));
    for (let step = 0; step < 4; step++)
      await Promise.all(programs.map((each) => each.run({ scale }, { outputs: [] })));
    const [slow, fast] = await Promise.all(
      programs.map(async (each) => toNumbers((await each.readState(['m0']))['m0'] as never)),
    );
    // Σ rateᵏ · g with g nearly constant.
    const at = (slow as Float64Array).findIndex((number) => number > 0.005);
    expect((fast?.[at] as number) / (slow?.[at] as number)).toBeGreaterThan(1.5);
    await Promise.all(programs.map((each) => each.dispose()));
  }
});
