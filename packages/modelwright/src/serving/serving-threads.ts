import { availableParallelism } from 'node:os';
import type { BackendConfiguration } from '../backend/backend-configuration.js';
import { includedBackends } from '../backend/load-backend.js';

/**
 * A backend's configuration for serving: one core is left to whoever reads requests and writes answers. Threads that compute together
 * spin while they wait for work, and on all cores they would take from it most of what batching gives.
 *
 * @param threads - What the user asked for; else what stands in the configuration, else all cores but one.
 */
export function withServingThreads(configuration: BackendConfiguration, threads?: number): BackendConfiguration {
  if (threads !== undefined) return { ...configuration, threads };
  const isOurs = includedBackends.some((name) => name.split(':')[0] === configuration.name);
  return isOurs ? { threads: Math.max(1, availableParallelism() - 1), ...configuration } : configuration;
}
