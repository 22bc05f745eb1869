import { type Backend, isModelwrightError } from '@modelwright/core';
import type { BackendConfiguration } from '../backend/backend-configuration.js';
import { chooseBackend, includedBackends, loadBackend } from '../backend/load-backend.js';

/** A backend for a command, and a remark if it is not the one that would be best. */
export interface CommandBackend {
  readonly backend: Backend;
  readonly notes: readonly string[];
}

/**
 * Loads the backend that the user asked for, by option, variable or file; only when nobody asked and ONNX Runtime is not
 * installed, falls back to the reference backend, so that a model runs with no runtime at all.
 *
 * @param refine - Adds what the command wants of the backend and the user did not say.
 */
export async function backendForCommand(
  asked: string | undefined,
  refine: (configuration: BackendConfiguration) => BackendConfiguration = (configuration) => configuration,
): Promise<CommandBackend> {
  const { configuration, source } = await chooseBackend(asked);
  try {
    return { backend: await loadBackend(refine(configuration)), notes: [] };
  } catch (error) {
    if (source !== 'default' || !isModelwrightError(error, 'backend-unavailable')) throw error;
    const hint = error.details.hint ?? error.message;
    return {
      backend: await loadBackend('reference'),
      notes: [`using the slow reference backend; to run fast: ${hint}`],
    };
  }
}

/** `onnxruntime:cpu` */
export function labelOf({ name, device }: Pick<Backend, 'name' | 'device'>): string {
  return `${name}:${device}`;
}

/** `onnxruntime` or `onnxruntime:cpu`, as a user would ask for it. */
export function nameOf({ name, device }: BackendConfiguration): string {
  return device === undefined ? name : `${name}:${device}`;
}

/** What to look at when nobody says: the configured backend with all its options, then those that come along. */
export async function usualBackends(): Promise<readonly BackendConfiguration[]> {
  const { configuration } = await chooseBackend();
  const others = includedBackends.filter((name) => name !== nameOf(configuration)).map((name) => ({ name }));
  return [configuration, ...others];
}
