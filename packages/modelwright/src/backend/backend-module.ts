import { pathToFileURL } from 'node:url';
import type { BackendModule } from '@modelwright/server/node';
import type { BackendConfiguration } from './backend-configuration.js';
import { resolveFromProject } from './import-from-project.js';
import { includedPackages, packageNamesOf } from './load-backend.js';

/**
 * How a thread or process of its own opens the backend of a configuration; a backend itself cannot be handed over.
 *
 * @returns undefined for a backend that is no module: the reference backend.
 */
export function backendModuleOf(
  { name, ...options }: BackendConfiguration,
  directory: string = process.cwd(),
): BackendModule | undefined {
  const included = includedPackages[name];
  if (included !== undefined) return { module: import.meta.resolve(included), options };
  for (const candidate of packageNamesOf(name)) {
    const path = resolveFromProject(candidate, directory);
    if (path !== undefined) return { module: pathToFileURL(path).href, options };
  }
  return undefined;
}
