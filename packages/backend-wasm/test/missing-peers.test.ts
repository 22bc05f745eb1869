import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'modelwright-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = `
  import { createBackend } from '@modelwright/backend-wasm';
  const error = await createBackend().catch((reason) => reason);
  console.log(JSON.stringify({ code: error.code, message: error.message, hint: error.details.hint }));
`;

// Runs the built package, as a user's process would.
it('without TensorFlow.js it says what to install, for each package manager', () => {
  const scope = join(folder, 'node_modules/@modelwright');
  mkdirSync(join(scope, 'backend-wasm'), { recursive: true });
  cpSync(join(root, 'dist'), join(scope, 'backend-wasm/dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(scope, 'backend-wasm/package.json'));
  for (const name of ['core', 'backend-tfjs'])
    symlinkSync(realpathSync(join(root, 'node_modules/@modelwright', name)), join(scope, name));
  const { NODE_PATH: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  const packages = '@tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm';
  expect(JSON.parse(stdout)).toEqual({
    code: 'backend-unavailable',
    message: 'the wasm backend cannot be loaded: @tensorflow/tfjs-core is not installed',
    hint: `npm install ${packages} (or pnpm add ${packages}, or yarn add ${packages})`,
  });
});
