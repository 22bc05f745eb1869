/** `npm run support`: runs the conformance suite of every backend that can run here and writes its table into the docs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, installIfNeeded, root } from './workspace.mjs';

/** Parts of the paths of the test files that put a backend to the suite. */
const suites = ['conformance.test', 'conformance-cpu', 'reference.test', 'web-engine', 'devices/webgpu'];

installIfNeeded();
build();
const folder = mkdtempSync(join(tmpdir(), 'modelwright-support-'));
const environment = { ...process.env, MODELWRIGHT_SUPPORT_REPORTS: folder };
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const tests = spawnSync(process.execPath, [vitest, 'run', ...suites], {
  cwd: root,
  env: environment,
  stdio: 'inherit',
});
const { supportTable } = await import('../packages/backend-conformance/dist/index.js');
const reports = readdirSync(folder)
  .sort()
  .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
const page = `# What each backend runs

Made by \`npm run support\`: cases of core's op table and their gradients that agree with the float64 reference, of all
cases. A *known failure* is listed with its reason and noticed when it goes away; *refused* means that the backend says
beforehand that it cannot, by a typed error. Backends that cannot run on the machine that made this page are not in it.

${supportTable(reports)}
`;
const target = join(root, 'packages/backend-conformance/SUPPORT.md');
writeFileSync(`${target}.new`, page);
renameSync(`${target}.new`, target);
rmSync(folder, { recursive: true });
console.log(`Wrote ${target} from ${reports.length} backends.`);
process.exitCode = tests.status ?? 1;
