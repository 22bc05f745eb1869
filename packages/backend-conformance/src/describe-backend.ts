import { type Backend, ModelwrightError } from '@modelwright/core';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeLifecycle } from './floors/lifecycle.js';
import { describeOps } from './floors/ops.js';
import { describePrograms } from './floors/programs.js';
import { type BackendUnderTest, type CaseOutcome, reference, type Suite } from './suite.js';
import { supportTable } from './support-table.js';
import { writeReport } from './write-report.js';

/**
 * Declares the tests every backend passes: lifecycle, every op and gradient against the reference evaluator, and whole
 * trainings. Call it in a vitest file; it is all that file needs.
 *
 * @param name - Shown in front of the tests.
 * @example
 * describeBackend('mine', { create: () => createBackend() });
 */
export function describeBackend(name: string, options: BackendUnderTest): void {
  if (options.unavailable !== undefined) {
    describe.skip(`${name} (not here: ${options.unavailable})`, () => declareFloors(name, options));
    return;
  }
  describe(name, () => declareFloors(name, options));
}

function declareFloors(name: string, options: BackendUnderTest): void {
  let opened: Backend | undefined;
  const outcomes = new Map<string, CaseOutcome>();
  const suite: Suite = {
    name,
    options,
    reference,
    outcomes,
    backend(): Backend {
      if (opened !== undefined) return opened;
      throw new ModelwrightError('resource-disposed', `the backend '${name}' is not open outside of its tests`);
    },
  };
  beforeAll(async () => {
    opened = await options.create();
  });
  describeLifecycle(suite);
  describeOps(suite);
  describePrograms(suite);
  afterAll(async () => {
    if (opened === undefined) return;
    const { name: backend, device } = opened;
    const report = {
      name,
      backend,
      device,
      outcomes: Object.fromEntries(outcomes),
      knownFailures: options.knownFailures ?? {},
    };
    await options.onReport?.(report);
    const isKept = await writeReport(report);
    if (options.onReport === undefined && !isKept) printTable(supportTable([report]));
    await opened.dispose();
  });
}

function printTable(table: string): void {
  const { console } = globalThis as { console?: { log(text: string): void } };
  console?.log(table);
}
