import type { Backend, DType, Executable, TensorMap } from '@modelwright/core';
import type { Tolerance } from '@modelwright/core/cases';
import { describe, expect, test } from 'vitest';
import { conformancePrograms } from '../programs/networks.js';
import type { ConformanceProgram } from '../programs/program-builder.js';
import { firstDifference, reference, type Suite } from '../suite.js';
import { expectRefusal, refusalOf } from './ops.js';

const steps = 10;
/** Rounding errors grow along a training; a wrong op is off by far more. */
const traceTolerance = (dtype: DType): Tolerance =>
  dtype === 'float32' ? { relative: 2e-3, absolute: 2e-4 } : { relative: 0, absolute: 0 };

/** Whole networks, trained for ten steps: losses and all state equal the reference's, step by step and in one call. */
export function describePrograms(suite: Suite): void {
  describe('training traces', () => {
    for (const each of conformancePrograms()) {
      test(`${each.name}: ten steps`, () => expectSameTrace(suite, each));
      test(`${each.name}: runMany equals run`, () => expectSameInOneCall(suite, each));
    }
  });
}

async function expectSameTrace(suite: Suite, { program, inputs }: ConformanceProgram): Promise<void> {
  const refusal = refusalOf(suite, program.graph);
  if (refusal !== undefined) return expectRefusal(suite, program.graph, refusal);
  const [given, wanted] = await compileBoth(suite.backend(), program);
  let first: TensorMap | undefined;
  let last: TensorMap | undefined;
  for (let step = 0; step < steps; step++) {
    const [actual, expected] = [await given.run(inputs(step)), await wanted.run(inputs(step))];
    expect(firstDifference(actual, expected, traceTolerance), `step ${step}`).toBeUndefined();
    first ??= expected;
    last = expected;
  }
  expect(last).not.toEqual(first);
  const [actual, expected] = [await given.readState(), await wanted.readState()];
  expect(firstDifference(actual, expected, traceTolerance)).toBeUndefined();
  await Promise.all([given.dispose(), wanted.dispose()]);
}

async function expectSameInOneCall(suite: Suite, { program, inputs }: ConformanceProgram): Promise<void> {
  const refusal = refusalOf(suite, program.graph);
  if (refusal !== undefined) return expectRefusal(suite, program.graph, refusal);
  const backend = suite.backend();
  const [one, many] = [await backend.compile(program), await backend.compile(program)];
  const all = Array.from({ length: 4 }, (_, step) => inputs(step));
  const single: TensorMap[] = [];
  for (const each of all) single.push(await one.run(each));
  const together = await many.runMany(all);
  const close = (dtype: DType): Tolerance => ({ ...traceTolerance(dtype), absolute: dtype === 'float32' ? 1e-5 : 0 });
  together.forEach((actual, step) => {
    expect(firstDifference(actual, single[step] as TensorMap, close), `step ${step}`).toBeUndefined();
  });
  expect(firstDifference(await many.readState(), await one.readState(), close)).toBeUndefined();
  await Promise.all([one.dispose(), many.dispose()]);
}

async function compileBoth(
  backend: Backend,
  program: ConformanceProgram['program'],
): Promise<[Executable, Executable]> {
  return [await backend.compile(program, { debug: true }), await reference.compile(program)];
}
