import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createReferenceBackend } from '@modelwright/core';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { deploy } from '../deploy/deploy.js';
import { electronVersions } from './electron/app-files.js';
import { brighterHalf } from './small-models.cases.js';

const packages = fileURLToPath(new URL('../../../', import.meta.url));
const installed = join(packages, 'deployment/node_modules');
const { model, processing } = brighterHalf();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-app-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes a bundle with packages linked in, under the names that its code imports them by. */
async function write(target: string, links: Readonly<Record<string, string>>): Promise<string> {
  const place = join(folder, target);
  await deploy(model, { target, backend: createReferenceBackend(), processing, output: place });
  await mkdir(join(place, 'node_modules/@modelwright'), { recursive: true });
  for (const [name, source] of Object.entries(links)) await symlink(source, join(place, 'node_modules', name));
  await writeFile(join(place, 'left.png'), leftIsBrighter());
  return place;
}

function leftIsBrighter(): Uint8Array {
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, (_, index) => (Math.floor(index / 3) % 8 < 4 ? 255 : 0));
  return encodePng({ width: 8, height: 8, channels: 3, data });
}

/** Runs a module in a folder; what it prints is JSON. */
async function run(place: string, code: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { cwd: place });
  return JSON.parse(stdout);
}

async function flipBit(place: string, file: string): Promise<void> {
  const bytes = await readFile(join(place, file));
  bytes[bytes.length - 60]! ^= 1;
  await writeFile(join(place, file), bytes);
}

describe('the electron target', () => {
  const code = `import { readFile } from 'node:fs/promises';
    import { classify } from './model-process.js';
    const outcome = await classify(new Uint8Array(await readFile('left.png'))).catch(({ code }) => code);
    console.log(JSON.stringify(outcome));
    process.exit();`;

  it('answers in the process of the model, as Node runs it, and refuses a flipped bit', async () => {
    const links = { '@modelwright/deployment': join(packages, 'deployment') };
    const engine = { '@modelwright/backend-onnxruntime': join(packages, 'backend-onnxruntime') };
    const place = await write('electron', { ...links, ...engine });
    expect(await run(place, code)).toMatchObject({ scores: [{ label: 'left' }, { label: 'right' }] });
    await flipBit(place, 'model/model.onnx');
    expect(await run(place, code)).toBe('integrity-violation');
  });

  it('names the runtime that the backend is tested with', async () => {
    const { catalog } = parse(await readFile(join(packages, '../pnpm-workspace.yaml'), 'utf8'));
    for (const name of ['onnxruntime-node', 'koffi'] as const) expect(electronVersions[name]).toBe(catalog[name]);
  });
});

describe('the react-native target', () => {
  const code = `import { readFile } from 'node:fs/promises';
    import { openModel } from './open-model.js';
    const read = async (path) => new Uint8Array(await readFile(path));
    const outcome = await openModel({ name: 'the app', read }).then(
      async ({ classify }) => (await classify([await read('left.png')]))[0],
      ({ code }) => code,
    );
    console.log(JSON.stringify(outcome));`;

  it('answers on a runtime of the same interface, and refuses a flipped bit', async () => {
    // The runtime for phones does not run here; that for Node has its interface, from the same types.
    const place = await write('react-native', {
      '@modelwright/deployment': join(packages, 'deployment'),
      '@modelwright/core': join(packages, 'core'),
      'onnxruntime-react-native': join(installed, 'onnxruntime-node'),
    });
    await writeFile(join(place, 'package.json'), '{ "type": "module" }');
    expect(await run(place, code)).toMatchObject({ scores: [{ label: 'left' }, { label: 'right' }] });
    await flipBit(place, 'assets/model.onnx');
    expect(await run(place, code)).toBe('integrity-violation');
  });
});
