/** Where tests find the code of threads and processes: built if it is up to date, else the sources, which start slower. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { WorkerRunnerOptions } from './worker-runner.js';

const packages = fileURLToPath(new URL('../../../', import.meta.url));
/** What threads and processes run of the packages. */
const needed = ['core', 'onnx', 'text', 'backend-onnxruntime', 'server'];
const ownFolders = ['isolate', 'serving', 'workers'];

/** @param path - Under `src` of the server package, without its ending: `isolate/process-entry`. */
export function hostProgram(path: string): NonNullable<WorkerRunnerOptions['entry']> {
  const server = join(packages, 'server');
  if (needed.every(isBuilt)) return { url: pathToFileURL(join(server, 'dist', `${path}.js`)), execArgv: [] };
  const manifest = pathToFileURL(createRequire(import.meta.url).resolve('jiti/package.json'));
  const register = new URL('lib/jiti-register.mjs', manifest).href;
  const execArgv = ['--conditions', '@modelwright/source', '--import', register];
  return { url: pathToFileURL(join(server, 'src', `${path}.ts`)), execArgv };
}

function isBuilt(name: string): boolean {
  const build = join(packages, name, 'dist/tsconfig.tsbuildinfo');
  if (!existsSync(build)) return false;
  const builtAt = statSync(build).mtimeMs;
  const sources = join(packages, name, 'src');
  const folders = name === 'server' ? ownFolders : ['.'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(sources, folder), { recursive: true }).map((file) => join(folder, String(file))),
  );
  return files
    .filter((file) => file.endsWith('.ts') && !/\.(test|test-d|cases)\.ts$/.test(file))
    .every((file) => statSync(join(sources, file)).mtimeMs <= builtAt);
}
