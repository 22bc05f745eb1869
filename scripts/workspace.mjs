/** What the root scripts share: the checkout's paths, the pinned pnpm, installing and building only when needed. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, '.tools');

/** The version of pnpm that `package.json` pins. */
export function pinnedPnpmVersion() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return packageManager.replace(/^pnpm@/, '').replace(/\+.*$/, '');
}

/** Path of pnpm's own script, installing it with npm first if this checkout has none yet. */
export function ensurePnpm() {
  const version = pinnedPnpmVersion();
  const script = join(tools, `pnpm-${version}`, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs');
  if (existsSync(script)) return script;
  announce(`Fetching pnpm ${version} into .tools/`);
  const prefix = join(tools, `pnpm-${version}`);
  mkdirSync(prefix, { recursive: true });
  const npmArguments = ['install', '--prefix', prefix, '--no-save', '--no-package-lock', '--ignore-scripts'];
  const status = run('npm', [...npmArguments, '--no-audit', '--no-fund', '--loglevel=error', `pnpm@${version}`], {
    cwd: prefix,
  });
  if (status !== 0 || !existsSync(script)) {
    console.error(`Could not install pnpm ${version} with npm. Is the registry reachable?`);
    process.exit(status || 1);
  }
  return script;
}

/** Runs pnpm with the given arguments in `cwd`; returns its exit status. */
export function runPnpm(args, { cwd = process.cwd(), ...options } = {}) {
  return run(process.execPath, [ensurePnpm(), ...args], { cwd, ...options });
}

/** Runs a command with its output on this terminal; returns its exit status. */
export function run(command, args, { cwd = root, env = {}, ...options } = {}) {
  const bin = join(tools, `pnpm-${pinnedPnpmVersion()}`, 'node_modules', '.bin');
  const result = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    shell: process.platform === 'win32' && command === 'npm',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, TURBO_TELEMETRY_DISABLED: '1', ...env },
    ...options,
  });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  return result.status ?? 1;
}

/** Installs the workspace unless the lockfile and every package.json are as they were after the last install. */
export function installIfNeeded() {
  const stamp = join(root, 'node_modules', '.modelwright-install');
  const wanted = manifestHash();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  announce('Installing dependencies');
  const mode = process.env.CI ? '--frozen-lockfile' : '--prefer-frozen-lockfile';
  exitOnFailure(runPnpm(['install', mode, '--reporter=append-only'], { cwd: root }));
  writeFileSync(stamp, manifestHash());
}

/** Compiles packages (all of them by default) and what they stand on; tsc itself skips what is up to date. */
export function build(projects = []) {
  announce('Building packages');
  exitOnFailure(run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b', ...projects]));
}

/** Ends this script with a clear message where Node is older than what a tool needs. */
export function requireNode(minimum, what) {
  const parse = (version) => version.split('.').map(Number);
  const [[major, minor], [wantedMajor, wantedMinor]] = [parse(process.versions.node), parse(minimum)];
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  console.error(`${what} needs Node ${minimum} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Prints one line of progress. */
export function announce(message) {
  console.log(`\n▸ ${message}`);
}

/** Ends this script with the status of a command that failed. */
export function exitOnFailure(status) {
  if (status !== 0) process.exit(status);
}

/** Folders of all workspace packages, relative to the root. */
export function workspaceFolders() {
  const children = (folder) =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder)).map((name) => `${folder}/${name}`) : [];
  return [...children('packages'), ...children('examples'), 'bench'].filter((folder) =>
    existsSync(join(root, folder, 'package.json')),
  );
}

function manifestHash() {
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'].concat(
    workspaceFolders().map((folder) => `${folder}/package.json`),
  );
  const hash = createHash('sha256').update(process.version + process.platform + process.arch);
  for (const file of files) {
    if (existsSync(join(root, file))) hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}
