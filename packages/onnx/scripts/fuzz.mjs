// Reads and rewrites 20,000 damaged files: node scripts/fuzz.mjs [files] [first seed]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [files = '20000', seed = '1'] = process.argv.slice(2);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const { status } = spawnSync('npx', ['vitest', 'run', 'packages/onnx/test/fuzz.test.ts'], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: { ...process.env, MODELWRIGHT_FUZZ_FILES: files, MODELWRIGHT_FUZZ_SEED: seed },
});
process.exitCode = status ?? 1;
