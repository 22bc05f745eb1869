import { createReferenceBackend, type Executable, type TensorMap, toNumbers } from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import { mlpInputs, mlpProgram } from '../test/training-program.js';
import { createBackend } from './backend.js';

const size = { widths: [7, 5, 3], batch: 4 };

async function trace(executable: Executable, steps: number): Promise<TensorMap[]> {
  const results: TensorMap[] = [];
  for (let step = 0; step < steps; step++) results.push(await executable.run(mlpInputs(size, step)));
  return [...results, await executable.readState()];
}

function expectClose(actual: TensorMap, expected: TensorMap, tolerance: number): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, tensor] of Object.entries(expected)) {
    const [given, wanted] = [toNumbers(actual[name] as NonNullable<typeof tensor>), toNumbers(tensor)];
    wanted.forEach((value, index) => {
      expect(Math.abs((given[index] as number) - value), `${name}[${index}]`).toBeLessThanOrEqual(
        tolerance * (1 + Math.abs(value)),
      );
    });
  }
}

describe.each([
  { engine: 'native' },
  { engine: 'native', hostMemoryBytes: 0 },
  { engine: 'native', hostMemoryBytes: 2_000 },
  { engine: 'binding' },
  { engine: 'binding', hostMemoryBytes: 0 },
] as const)('training with %j', (options) => {
  const opened = createBackend(options);
  afterAll(async () => (await opened).dispose());

  it('follows the reference over ten steps', async () => {
    const program = mlpProgram(size);
    const expected = await trace(await createReferenceBackend().compile(program), 10);
    const actual = await trace(await (await opened).compile(program, { debug: true }), 10);
    for (const [step, one] of actual.entries()) expectClose(one, expected[step] as TensorMap, 2e-5);
  });
});
