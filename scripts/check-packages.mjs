/**
 * `npm run check:packages`: looks at the packages as their users will get them.
 *
 * Packs every package, lints the tarballs (publint, attw), installs them with npm into an empty project without running
 * any install script, and runs there the first example of each README.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstExample } from './structure/readme-example.mjs';
import { build, ensurePnpm, installIfNeeded, root, workspaceFolders } from './workspace.mjs';

/** What the examples and the published types rest on, in the versions of the workspace. */
const runtimes = [
  'onnxruntime-node',
  'vitest',
  '@types/node',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-backend-cpu',
  '@tensorflow/tfjs-backend-wasm',
];

installIfNeeded();
build();
const { publint } = await import('publint');
const { formatMessage } = await import('publint/utils');
const workplace = mkdtempSync(join(tmpdir(), 'modelwright-packages-'));
const failures = [];
try {
  const packages = workspaceFolders()
    .filter((folder) => folder.startsWith('packages/'))
    .map(pack);
  for (const packed of packages) await lint(packed);
  const project = installTogether(packages);
  checkWithoutRuntime(project);
  addRuntimes(project);
  checkTypes(project, packages);
  for (const { name, folder } of packages) runExample(project, name, join(root, folder, 'README.md'));
  runExample(project, 'the root README', join(root, 'README.md'));
  report('modelwright doctor', modelwright(project, ['doctor', '--backend', 'onnxruntime,reference']));
} finally {
  rmSync(workplace, { recursive: true, force: true });
}
console.log(`Packages: ${failures.length} problems.`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** Packs one workspace folder into a tarball of its own folder. */
function pack(folder) {
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const destination = join(workplace, 'tarballs', folder.replace('packages/', ''));
  mkdirSync(destination, { recursive: true });
  const packed = execute(
    process.execPath,
    [ensurePnpm(), 'pack', '--pack-destination', destination],
    join(root, folder),
  );
  const [file] = readdirSync(destination);
  if (packed.status !== 0 || !file) {
    console.error(packed.output);
    process.exit(1);
  }
  return { name: manifest.name, folder, manifest, tarball: join(destination, file) };
}

async function lint({ name, tarball }) {
  const data = readFileSync(tarball);
  const buffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, level: 'warning' });
  const output = messages.map((message) => formatMessage(message, pkg)).join('\n');
  report(`${name}: publint`, { status: messages.length, output });
  const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  report(`${name}: attw`, execute(process.execPath, [attw, tarball, '--profile', 'esm-only', '--no-color'], workplace));
}

/** One empty project with every tarball, installed by npm without optional packages and install scripts. */
function installTogether(packages) {
  const project = join(workplace, 'project');
  mkdirSync(project);
  const dependencies = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }));
  report('npm install of all tarballs', npm(project, ['install', '--omit=optional']));
  return project;
}

/** Without any native runtime the command still works, on the reference backend, and says what to install. */
function checkWithoutRuntime(project) {
  report('without a runtime: the reference backend works', modelwright(project, ['doctor', '--backend', 'reference']));
  const { status, output } = modelwright(project, ['doctor']);
  const tells = status === 4 && output.includes('npm install onnxruntime-node');
  report('without a runtime: doctor says what to install', { status: tells ? 0 : 1, output });
}

function addRuntimes(project) {
  const catalog = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  const wanted = runtimes.map((name) => {
    const [, range] = new RegExp(`^  "?${name}"?: "?([^"\\s]+)`, 'm').exec(catalog) ?? [];
    return `${name}@${range}`;
  });
  report(`npm install ${wanted.join(' ')}`, npm(project, ['install', ...wanted]));
}

/** Every published declaration holds in a strict project that does not skip checking libraries. */
function checkTypes(project, packages) {
  const entries = packages.flatMap(({ name, manifest }) =>
    Object.entries(manifest.exports)
      .filter(([, entry]) => typeof entry === 'object')
      .map(([path]) => name + path.slice(1)),
  );
  const lines = entries.map((entry, index) => `import * as entry${index} from '${entry}';\nvoid entry${index};`);
  writeFileSync(join(project, 'types.ts'), lines.join('\n'));
  const options = ['--strict', '--noEmit', '--skipLibCheck', 'false', '--module', 'nodenext', '--target', 'es2022'];
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { output } = execute(process.execPath, [tsc, ...options, 'types.ts'], project);
  // TensorFlow.js's own declarations do not hold with `skipLibCheck` off; ours must.
  const ours = output
    .split('\n')
    .filter((line) => /^(types\.ts|node_modules\/(@modelwright\/|modelwright\/))/.test(line));
  report('types in a strict project', { status: ours.length, output: ours.join('\n') });
}

function npm(project, args) {
  return execute('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], project);
}

function modelwright(project, args) {
  return execute(process.execPath, [join(project, 'node_modules/modelwright/bin/modelwright.js'), ...args], project);
}

function runExample(project, name, readme) {
  const example = existsSync(readme) ? firstExample(readFileSync(readme, 'utf8')) : undefined;
  if (example === undefined) return report(`${name}: README has an example`, { status: 1, output: 'none found' });
  if (example.includes('run by vitest'))
    return console.log(`-       ${name}: README example is a test of the reader's own`);
  const file = `example-${name.replace(/\W+/g, '-')}.mjs`;
  writeFileSync(join(project, file), example);
  return report(`${name}: README example`, execute(process.execPath, [file], project));
}

function execute(command, args, cwd) {
  const shell = process.platform === 'win32';
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell,
    timeout: 180_000,
  });
  return { status: status ?? 1, output: `${stdout ?? ''}${stderr ?? ''}${error ? error.message : ''}` };
}

function report(what, { status, output }) {
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${what}`);
  if (status === 0) return;
  failures.push(what);
  console.error(output.replace(/^/gm, '        '));
}
