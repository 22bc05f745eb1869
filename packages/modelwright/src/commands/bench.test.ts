import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';
import type { Measurement } from '../model/measure.js';

interface Results {
  readonly results: readonly {
    readonly backend: string;
    readonly batch: number;
    readonly compileMilliseconds: number;
    readonly latency: Measurement;
    readonly samplesPerSecond: number;
  }[];
}

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

test('measures backends side by side, as JSON', async () => {
  const args = ['bench', 'tiny.onnx', '-b', 'onnxruntime,reference', '--batch', '4', '--seconds', '0.1'];
  const { exitCode, data } = await workplace.json<Results>(args);
  expect(exitCode).toBe(0);
  expect(data.results.map(({ backend }) => backend)).toEqual(['onnxruntime:cpu', 'reference:cpu']);
  for (const { batch, latency, samplesPerSecond, compileMilliseconds } of data.results) {
    expect(batch).toBe(4);
    expect(latency.runCount).toBeGreaterThanOrEqual(5);
    expect(latency.minimumMilliseconds).toBeLessThanOrEqual(latency.medianMilliseconds);
    expect(latency.medianMilliseconds).toBeLessThanOrEqual(latency.p95Milliseconds);
    expect(samplesPerSecond).toBeCloseTo(latency.runsPerSecond * 4, 6);
    expect(compileMilliseconds).toBeGreaterThan(0);
  }
});

test('a table for people; a backend that fails does not hide the others', async () => {
  const args = ['bench', 'tiny.onnx', '-b', 'reference,abacus', '--seconds', '0.1', '--concurrency', '2'];
  const { exitCode, stdout } = await workplace.modelwright(args);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/backend +median +95 % +samples +relative/);
  expect(stdout).toMatch(/reference:cpu .* 1× /);
  expect(stdout).toContain("abacus: there is no backend 'abacus'");
});

test('exits with 4 if none works', async () => {
  const { exitCode, data } = await workplace.json(['bench', 'tiny.onnx', '-b', 'abacus', '--seconds', '0.1']);
  expect(exitCode).toBe(4);
  expect(data).toMatchObject({ results: [{ backend: 'abacus', error: { code: 'backend-unavailable' } }] });
});
