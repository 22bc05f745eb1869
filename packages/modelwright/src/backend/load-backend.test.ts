import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GraphBuilder, tensor } from '@modelwright/core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadConfiguration } from './configuration-file.js';
import { chooseBackend, includedBackends, loadBackend } from './load-backend.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'load-backend-'));
  vi.stubEnv('MODELWRIGHT_BACKEND', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}

const thirdParty = `export const createBackend = (options) => ({ specificationVersion: 'v1', name: 'mine', device: options.device ?? 'own', options });`;

function installThirdParty(name: string, manifest: object = { exports: { '.': { import: './index.js' } } }): void {
  write(`node_modules/${name}/package.json`, JSON.stringify({ name, type: 'module', main: './index.js', ...manifest }));
  write(`node_modules/${name}/index.js`, thirdParty);
}

describe.each(['reference', 'onnxruntime', 'wasm'])('the included backend %s', (name) => {
  test('runs a program', async () => {
    const builder = new GraphBuilder('double');
    const x = builder.input('x', 'float32', [2]);
    builder.output('y', builder.op('Add', [x, x]));
    const backend = await loadBackend(name);
    expect(backend.name).toBe(name);
    const executable = await backend.compile({ graph: builder.build(), state: [] });
    expect((await executable.run({ x: tensor([1, 2]) }))['y']).toEqual(tensor([2, 4]));
    await backend.dispose();
  });
});

describe('a backend of somebody else', () => {
  test.each([
    ['its package name', 'their-backend', 'their-backend'],
    ['a scoped name with a device', '@them/backend', '@them/backend:gpu'],
    ['the short form of modelwright-backend-…', 'modelwright-backend-fast', 'fast'],
  ])('is loaded from the project by %s', async (_how, installed, asked) => {
    installThirdParty(installed);
    const backend = await loadBackend(asked, { directory });
    expect([backend.name, backend.device]).toEqual(['mine', asked.endsWith(':gpu') ? 'gpu' : 'own']);
  });

  test('may lack an exports map, or have conditions inside of conditions', async () => {
    installThirdParty('old-style', {});
    installThirdParty('nested', { exports: { node: { types: './x.d.ts', import: './index.js' } } });
    expect((await loadBackend('old-style', { directory })).name).toBe('mine');
    expect((await loadBackend('nested', { directory })).name).toBe('mine');
  });

  test('may be a file of the project, and gets its options', async () => {
    write('backend.mjs', thirdParty);
    const backend = await loadBackend({ name: './backend.mjs', device: 'd', cores: 3 }, { directory });
    expect((backend as unknown as { options: object }).options).toEqual({ device: 'd', cores: 3 });
  });

  test.each([
    ['missing', 'nobody-has-this', 'backend-unavailable', 'looked for @modelwright/backend-nobody-has-this'],
    ['whose file is missing', './nobody.mjs', 'backend-unavailable', 'nobody.mjs'],
    ['without createBackend', './none.mjs', 'invalid-configuration', 'does not export createBackend'],
    ['of another specification', './old.mjs', 'backend-unavailable', 'follows specification "v0"'],
    ['that throws when loaded', './bad.mjs', 'backend-unavailable', 'no libgpu'],
  ])('%s is a clear error', async (_what, name, code, message) => {
    write('none.mjs', 'export const a = 1;');
    write('old.mjs', "export const createBackend = () => ({ specificationVersion: 'v0' });");
    write('bad.mjs', "throw new Error('no libgpu');");
    await expect(loadBackend(name, { directory })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

test('an unknown name lists the known ones, and how a package is installed', async () => {
  const refusal = await loadBackend('@them/backend', { directory }).catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    message: expect.stringContaining('there are: onnxruntime, wasm, cuda, reference'),
    details: {
      allowed: includedBackends,
      hint: expect.stringMatching(/npm install @them\/backend .*pnpm add @them\/backend.* yarn add @them\/backend/),
    },
  });
});

describe('the choice', () => {
  const fileChoice = "export default { backend: 'reference' };";

  test('goes argument, environment, configuration file, default', async () => {
    expect(await chooseBackend(undefined, { directory })).toEqual({
      configuration: { name: 'onnxruntime' },
      source: 'default',
    });
    write('modelwright.config.mjs', fileChoice);
    expect((await chooseBackend(undefined, { directory })).source).toBe('configuration-file');
    vi.stubEnv('MODELWRIGHT_BACKEND', 'onnxruntime:webgpu');
    const chosen = await chooseBackend(undefined, { directory });
    expect(chosen).toEqual({ configuration: { name: 'onnxruntime', device: 'webgpu' }, source: 'environment' });
    expect((await chooseBackend('x', { directory })).source).toBe('argument');
  });

  test.each([
    ['ts', "const name: string = 'reference';\nexport default { backend: name } satisfies { backend: string };"],
    ['mts', fileChoice],
    ['js', fileChoice],
    ['mjs', fileChoice],
    ['json', '{ "backend": { "name": "reference" } }'],
  ])('reads modelwright.config.%s, also from a folder below', async (extension, text) => {
    write('package.json', '{ "type": "module" }');
    write(`modelwright.config.${extension}`, text);
    mkdirSync(join(directory, 'a/b'), { recursive: true });
    const chosen = await chooseBackend(undefined, { directory: join(directory, 'a/b') });
    expect(chosen).toEqual({ configuration: { name: 'reference' }, source: 'configuration-file' });
    expect((await loadBackend(undefined, { directory })).name).toBe('reference');
  });

  test.each([
    ['a syntax error', 'export default {', 'cannot use'],
    ['no default export', 'export const backend = 1;', 'exports no object'],
    ['an unknown option', 'export default { backends: [] };', "no option 'backends'"],
    ['a backend that is none', 'export default { backend: 7 };', "'backend' of"],
  ])('names a configuration file with %s', async (_what, text, message) => {
    write('modelwright.config.mjs', text);
    const load = loadConfiguration(directory);
    await expect(load).rejects.toMatchObject({
      code: 'invalid-configuration',
      message: expect.stringContaining('modelwright.config.mjs'),
    });
    await expect(load).rejects.toMatchObject({ message: expect.stringContaining(message) });
  });
});
