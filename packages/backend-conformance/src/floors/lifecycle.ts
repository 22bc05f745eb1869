import {
  type Executable,
  fromNumbers,
  isModelwrightError,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import { counting, perceptron } from '../programs/networks.js';
import type { Suite } from '../suite.js';

const x = fromNumbers('float32', [3], [1, 2, 3]);

/** Compiling, running, state, sharing, disposal and memory: the contract of `Backend` and `Executable`. */
export function describeLifecycle(suite: Suite): void {
  describe('lifecycle', () => {
    describeRuns(suite);
    describeState(suite);
    describeDisposal(suite);
  });
}

function describeRuns(suite: Suite): void {
  test('runs again and again, carrying its state', () =>
    withCounter(suite, async (executable) => {
      expect(await firstOf(executable)).toBe(2);
      expect(await firstOf(executable)).toBe(3);
      expect(await numberOf(executable.readState(), 'count')).toBe(2);
    }));

  test('runs that carry state stand in line', () =>
    withCounter(suite, async (executable) => {
      const results = await Promise.all(Array.from({ length: 5 }, () => firstOf(executable)));
      expect(results).toEqual([2, 3, 4, 5, 6]);
    }));

  test('runMany equals runs in a row', () =>
    withCounter(suite, async (executable) => {
      const results = await executable.runMany([{ x }, { x }, { x }]);
      expect(results.map((result) => toNumbers(result['y'] as Tensor)[0])).toEqual([2, 3, 4]);
      expect(await firstOf(executable)).toBe(5);
    }));

  test('only the outputs asked for come back', () =>
    withCounter(suite, async (executable) => {
      expect(Object.keys(await executable.run({ x }, { outputs: ['y'] }))).toEqual(['y']);
      const aborted = executable.run({ x }, { signal: { aborted: true } });
      expect(await codeOf(aborted)).toBe('aborted');
    }));

  test('results belong to the caller', () =>
    withCounter(suite, async (executable) => {
      const first = (await executable.run({ x }))['y'] as Tensor;
      const kept = [...toNumbers(first)];
      await executable.run({ x });
      expect([...toNumbers(first)]).toEqual(kept);
    }));

  test('missing and wrong inputs are refused by name', () =>
    withCounter(suite, async (executable) => {
      expect(await codeOf(executable.run({}))).toBe('invalid-argument');
      expect(await codeOf(executable.run({ x: fromNumbers('float32', [2], [1, 2]) }))).toBe('shape-mismatch');
      expect(await codeOf(executable.run({ x: fromNumbers('int32', [3], [1, 2, 3]) }))).toBe('dtype-mismatch');
      expect(await firstOf(executable)).toBe(2);
    }));
}

function describeState(suite: Suite): void {
  test('two executables at once keep their states apart', () =>
    withCounter(suite, (one) =>
      withCounter(suite, async (other) => {
        await Promise.all([one.run({ x }), one.run({ x }), other.run({ x })]);
        expect(await numberOf(one.readState(), 'count')).toBe(2);
        expect(await numberOf(other.readState(), 'count')).toBe(1);
      }),
    ));

  test('state is read as a copy and written', () =>
    withCounter(suite, async (executable) => {
      const before = await executable.readState(['count']);
      await executable.run({ x });
      expect(toNumbers(before['count'] as Tensor)[0]).toBe(0);
      await executable.writeState({ count: fromNumbers('float32', [], [10]) });
      expect(await firstOf(executable)).toBe(12);
    }));

  test('a state that does not fit is refused and changes nothing', () =>
    withCounter(suite, async (executable) => {
      expect(await codeOf(executable.writeState({ count: fromNumbers('float32', [2], [1, 2]) }))).toBe(
        'shape-mismatch',
      );
      expect(await codeOf(executable.writeState({ other: fromNumbers('float32', [], [1]) }))).toBe('invalid-argument');
      expect(await firstOf(executable)).toBe(2);
    }));

  test('executables share state on request', () =>
    withCounter(suite, async (executable) => {
      const other = await suite.backend().compile(counting(), { shareState: executable });
      await executable.run({ x });
      expect(await firstOf(other)).toBe(3);
      expect(await firstOf(executable)).toBe(4);
      await other.dispose();
    }));

  test('state outlives the executable that made it', async () => {
    const maker = await suite.backend().compile(counting());
    await maker.run({ x });
    const heir = await suite.backend().compile(counting(), { shareState: maker });
    await maker.dispose();
    await withCounter(suite, (other) => firstOf(other).then(() => undefined));
    expect(await firstOf(heir)).toBe(3);
    await heir.dispose();
  });
}

function describeDisposal(suite: Suite): void {
  test('disposal is idempotent, and use after it is refused', async () => {
    const executable = await suite.backend().compile(counting());
    await executable.dispose();
    await executable.dispose();
    expect(await codeOf(executable.run({ x }))).toBe('resource-disposed');
    expect(await codeOf(executable.readState())).toBe('resource-disposed');
  });

  test('memory comes back when executables are disposed', () => expectFlatMemory(suite));
}

async function withCounter(suite: Suite, use: (executable: Executable) => Promise<void>): Promise<void> {
  const executable = await suite.backend().compile(counting());
  try {
    await use(executable);
  } finally {
    await executable.dispose();
  }
}

const warmUpRounds = 30;
const windowRounds = 25;
const mostWindows = 12;
const flatWindowsWanted = 4;
// Without `--expose-gc` what awaits collection counts as well.
const flatWindowBytes = 'gc' in globalThis ? 4 * 2 ** 20 : 12 * 2 ** 20;

/**
 * Compiles, runs and disposes in windows of equal length. What is never given back grows in every window; a heap that the
 * collector lets grow, or a pool that doubles, grows in a few.
 */
async function expectFlatMemory(suite: Suite): Promise<void> {
  const measure = suite.options.memoryBytes ?? residentBytes;
  const { program, inputs } = perceptron();
  const repeat = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const executable = await suite.backend().compile(program);
      await executable.run(inputs(0));
      await executable.dispose();
    }
  };
  await repeat(warmUpRounds);
  const growths: number[] = [];
  const flatWindows = (): number => growths.filter((growth) => growth < flatWindowBytes).length;
  while (growths.length < mostWindows && flatWindows() < flatWindowsWanted) {
    const before = await measure();
    await repeat(windowRounds);
    growths.push((await measure()) - before);
  }
  expect(flatWindows(), `growth in bytes of each ${windowRounds} rounds: ${growths.join(', ')}`).toBe(
    flatWindowsWanted,
  );
}

function residentBytes(): number {
  const { process, gc } = globalThis as { process?: { memoryUsage?: { rss(): number } }; gc?: () => void };
  gc?.();
  return process?.memoryUsage?.rss() ?? 0;
}

async function firstOf(executable: Executable): Promise<number> {
  return numberOf(executable.run({ x }), 'y');
}

async function numberOf(tensors: Promise<TensorMap>, name: string): Promise<number> {
  return toNumbers((await tensors)[name] as Tensor)[0] as number;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (isModelwrightError(error) ? error.code : String(error)),
  );
}
