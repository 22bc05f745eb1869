import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installCommands, ModelwrightError } from '@modelwright/core';

/**
 * Folders from which a bundle's packages are looked up: the user's project, what its `modelwright` package depends on, the command
 * line that runs, and this package. Deployment imports no backend; what a bundle needs is the project's.
 */
export function projectFolders(project: string = process.cwd()): readonly string[] {
  const command = process.argv[1];
  const folders = [
    resolve(project),
    folderOfPackage('modelwright', [resolve(project)]),
    command !== undefined && existsSync(command) ? dirname(realpathSync(command)) : undefined,
    dirname(fileURLToPath(import.meta.url)),
  ];
  return folders.filter((folder) => folder !== undefined);
}

/**
 * The folder of a package, as code in one of `folders` would find it.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` saying what to install.
 */
export function requirePackage(name: string, folders: readonly string[]): string {
  const folder = folderOfPackage(name, folders);
  if (folder !== undefined) return folder;
  throw new ModelwrightError('backend-unavailable', `the bundle needs ${name}, which is not installed`, {
    hint: installCommands(name),
  });
}

function folderOfPackage(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    // Not every package lets its package.json be asked for, so that the folders are walked as Node does.
    const paths = createRequire(join(folder, 'package.json')).resolve.paths(name) ?? [];
    // The command line itself is in none of its own.
    const around = paths.map((path) => dirname(path)).filter((path) => nameIn(path) === name);
    const found = [...around, ...paths.map((path) => join(path, name))].find((path) => nameIn(path) !== undefined);
    if (found !== undefined) return realpathSync(found);
  }
  return undefined;
}

function nameIn(folder: string): string | undefined {
  const manifest = join(folder, 'package.json');
  if (!existsSync(manifest)) return undefined;
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name?: string }).name ?? '';
}
