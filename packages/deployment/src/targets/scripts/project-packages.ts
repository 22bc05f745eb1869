import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installCommands, ModelwrightError } from '@modelwright/core';

/**
 * Folders from which a bundle's packages are looked up: the user's project, what its `modelwright` package depends on, the command
 * line that runs, and this package. Deployment imports no backend; what a bundle needs is the project's.
 */
export function projectFolders(project: string = process.cwd()): readonly string[] {
  const command = process.argv[1];
  const folders = [
    project,
    folderOfPackage('modelwright', [project]),
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
    const found = paths.map((path) => join(path, name)).find((path) => existsSync(join(path, 'package.json')));
    if (found !== undefined) return realpathSync(found);
  }
  return undefined;
}
