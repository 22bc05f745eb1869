/** Which program the tests of the command line start: the built one where it is up to date, else the sources. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packages = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Arguments for node that start `modelwright`. `npm test` builds first, so there it is what users get; a single test run
 * while working takes the sources, which start five times slower.
 */
export function commandProgram(): readonly string[] {
  if (['modelwright', ...dependencies()].every(isBuilt)) return [join(packages, 'modelwright/bin/modelwright.js')];
  // `jiti/register` is there for `import` only, so it cannot be resolved by that name.
  const manifest = pathToFileURL(createRequire(import.meta.url).resolve('jiti/package.json'));
  const register = new URL('lib/jiti-register.mjs', manifest).href;
  return ['--conditions', '@modelwright/source', '--import', register, join(packages, 'modelwright/src/bin.ts')];
}

/** Folders of the packages that the command is made of. */
function dependencies(): readonly string[] {
  const manifest = readFileSync(join(packages, 'modelwright/package.json'), 'utf8');
  const names = Object.keys((JSON.parse(manifest) as { dependencies: object }).dependencies);
  return names.filter((name) => name.startsWith('@modelwright/')).map((name) => name.replace('@modelwright/', ''));
}

/** Whether a package's last build is younger than its sources. */
function isBuilt(name: string): boolean {
  const sources = join(packages, name, 'src');
  const build = join(packages, name, 'dist/tsconfig.tsbuildinfo');
  if (!existsSync(build)) return false;
  const builtAt = statSync(build).mtimeMs;
  const files = readdirSync(sources, { recursive: true }).map(String);
  const built = files.filter((file) => file.endsWith('.ts') && !/\.(test|test-d|cases)\.ts$/.test(file));
  return built.every((file) => statSync(join(sources, file)).mtimeMs <= builtAt);
}
