import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Imports a package or a module as code in `directory` would: packages from its `node_modules` and those above it, paths
 * relative to it.
 *
 * @returns the module, or undefined if there is none of that name; what the module itself throws passes through.
 */
export async function importFromProject(specifier: string, directory: string): Promise<object | undefined> {
  const path = resolveFromProject(specifier, directory);
  return path === undefined ? undefined : ((await import(pathToFileURL(path).href)) as object);
}

/** The file that a specifier means to code in `directory`, or undefined if there is none. */
export function resolveFromProject(specifier: string, directory: string): string | undefined {
  if (specifier.startsWith('.') || isAbsolute(specifier)) {
    const path = resolve(directory, specifier);
    return existsSync(path) ? path : undefined;
  }
  try {
    return createRequire(join(directory, 'package.json')).resolve(specifier);
  } catch {
    // Not there, or there for `import` only: `require.resolve` cannot see that condition.
    return resolveImportOnly(specifier, directory);
  }
}

function resolveImportOnly(name: string, directory: string): string | undefined {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    const manifest = join(folder, 'node_modules', name, 'package.json');
    if (existsSync(manifest)) {
      const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown };
      const target = exportTarget(exports);
      return target === undefined ? undefined : join(dirname(manifest), target);
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** The file of the package's main entry under the conditions that hold in Node. */
function exportTarget(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry;
  if (typeof entry !== 'object' || entry === null) return undefined;
  if ('.' in entry) return exportTarget(entry['.']);
  for (const [condition, target] of Object.entries(entry)) {
    if (!['import', 'node', 'module-sync', 'default'].includes(condition)) continue;
    const found = exportTarget(target);
    if (found !== undefined) return found;
  }
  return undefined;
}
