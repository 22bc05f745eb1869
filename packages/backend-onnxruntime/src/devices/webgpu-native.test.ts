import { conformancePrograms } from '@modelwright/backend-conformance';
import { createReferenceBackend, GraphBuilder, statelessProgram, tensor, toNumbers } from '@modelwright/core';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { findVulkanDriver } from '../../test/vulkan-driver.js';
import { createBackend } from '../backend.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const missing = findVulkanDriver();

describe.skipIf(missing !== undefined)(`training on WebGPU alone ${missing ?? ''}`, () => {
  const opened = missing === undefined ? createBackend({ device: 'webgpu', cpuFallback: false }) : undefined;
  afterAll(async () => (await opened)?.dispose());

  it.each(conformancePrograms().map((each) => [each.name, each] as const))(
    '%s runs without the CPU, its state on the GPU',
    async (_, { program, inputs }) => {
      const given = await (await opened)?.compile(program);
      const wanted = await createReferenceBackend().compile(program);
      for (let step = 0; step < 3; step++) {
        const [results, expected] = [(await given?.run(inputs(step))) ?? {}, await wanted.run(inputs(step))];
        expect(Object.keys(results)).toEqual(Object.keys(expected));
        for (const [name, number] of Object.entries(expected))
          expect(toNumbers(results[name] as never)[0], name).toBeCloseTo(toNumbers(number)[0] as number, 4);
      }
      await given?.dispose();
    },
  );

  it('compares integers of 32 bits, and says so of larger ones', async () => {
    const builder = new GraphBuilder('labels');
    const labels = builder.input('labels', 'int64', [3]);
    builder.output('isTwo', builder.op('Equal', [labels, builder.scalar(2, 'int64')]));
    const executable = await (await opened)?.compile(statelessProgram(builder.build()));
    const answer = await executable?.run({ labels: tensor([2, -3, 2], { dtype: 'int64' }) });
    expect([...toNumbers(answer?.['isTwo'] as never)]).toEqual([1, 0, 1]);
    const refused = executable?.run({ labels: tensor([2, 2 ** 40, 2], { dtype: 'int64' }) });
    await expect(refused).rejects.toMatchObject({ code: 'value-out-of-range', details: { input: 'labels' } });
    await executable?.dispose();
  });

  it('frees state after the program that made it, in either order', async () => {
    const [perceptron] = conformancePrograms();
    const backend = await opened;
    if (perceptron === undefined || backend === undefined) return;
    for (let round = 0; round < 20; round++) {
      const maker = await backend.compile(perceptron.program);
      await maker.run(perceptron.inputs(0));
      const heir = await backend.compile(perceptron.program, { shareState: maker });
      const made = await maker.readState();
      await maker.dispose();
      // Takes the memory that the released session had.
      const other = await backend.compile(perceptron.program);
      await other.run(perceptron.inputs(1));
      expect(await heir.readState()).toEqual(made);
      await Promise.all([heir.dispose(), other.dispose()]);
    }
  });

  it('keeps memory flat over many steps', async () => {
    const [perceptron] = conformancePrograms();
    if (perceptron === undefined) return;
    const executable = await (await opened)?.compile(perceptron.program);
    const inputs = perceptron.inputs(0);
    const growthOver = async (steps: number): Promise<number> => {
      const before = process.memoryUsage().rss;
      for (let step = 0; step < steps; step++) await executable?.run(inputs);
      return process.memoryUsage().rss - before;
    };
    await growthOver(150);
    const growths: number[] = [];
    for (let window = 0; window < 5; window++) growths.push(await growthOver(60));
    // A leak grows in every window, a heap that the collector lets grow in some.
    expect(growths.toSorted((a, b) => a - b)[2]).toBeLessThan(4 * 2 ** 20);
    await executable?.dispose();
  });
});
