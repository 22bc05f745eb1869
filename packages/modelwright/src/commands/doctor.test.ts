import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, type Workplace } from '../../test/command-line.js';

interface Report {
  readonly machine: { readonly node: string };
  readonly configuration: object;
  readonly backends: readonly object[];
  readonly versions: readonly { readonly name: string; readonly version?: string }[];
}

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

test('tells what works here, as JSON', async () => {
  const { exitCode, data } = await workplace.json<Report>(['doctor']);
  expect(exitCode).toBe(0);
  expect(data.machine.node).toBe(process.versions.node);
  expect(data.configuration).toEqual({ backend: 'onnxruntime', source: 'default' });
  expect(data.backends).toMatchObject([
    { asked: 'onnxruntime', works: true, backend: 'onnxruntime:cpu' },
    { asked: 'wasm', works: true, backend: 'wasm:cpu' },
    { asked: 'cuda' },
    { asked: 'reference', works: true, backend: 'reference:cpu' },
    { asked: 'onnxruntime:webgpu' },
    { asked: 'onnxruntime:wasm', works: true },
  ]);
  const versions = Object.fromEntries(data.versions.map(({ name, version }) => [name, version]));
  expect(versions['@modelwright/core']).toMatch(/^\d+\.\d+\.\d+/);
  expect(versions['onnxruntime-node']).toMatch(/^1\.\d+\.\d+/);
});

test('names the configuration file it follows, for people', async () => {
  writeFileSync(
    join(workplace.folder, 'modelwright.config.ts'),
    "export default { backend: 'reference' as string };\n",
  );
  const { exitCode, stdout } = await workplace.modelwright(['doctor']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/backend +reference \(from .*modelwright\.config\.ts\)/);
  expect(stdout).toMatch(/reference:cpu +works +\d+ ops/);
});

test('a configured backend is tried with all its options', async () => {
  const backend = { name: 'onnxruntime', device: 'cpu', engine: 'binding' };
  writeFileSync(join(workplace.folder, 'modelwright.config.json'), JSON.stringify({ backend }));
  rmSync(join(workplace.folder, 'modelwright.config.ts'));
  const { data } = await workplace.json<Report>(['doctor']);
  expect(data.configuration).toMatchObject({ backend: 'onnxruntime:cpu', source: 'configuration-file' });
  expect(data.backends[0]).toMatchObject({ works: true, detail: expect.stringMatching(/^binding 1\./) });
});

test('a backend that does not work: why, what to do, and exit status 4', async () => {
  const env = { MODELWRIGHT_BACKEND: 'abacus:wood' };
  const { exitCode, stdout } = await workplace.modelwright(['doctor'], { env });
  expect(exitCode).toBe(4);
  expect(stdout).toMatch(/backend +abacus:wood \(from MODELWRIGHT_BACKEND\)/);
  expect(stdout).toMatch(/abacus:wood +does not work +there is no backend 'abacus'/);
  expect(stdout).toContain('→ ');
});

test('a device that a backend lacks', async () => {
  const { exitCode, data } = await workplace.json<Report>(['doctor', '--backend', 'reference:gpu']);
  expect(exitCode).toBe(4);
  expect(data.backends).toMatchObject([{ works: false, error: { code: 'backend-unavailable' } }]);
});
