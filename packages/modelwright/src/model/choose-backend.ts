import { type Backend, isModelwrightError } from '@modelwright/core';
import { chooseBackend, loadBackend } from '../backend/load-backend.js';

/** A backend for a command, and a remark if it is not the one that would be best. */
export interface CommandBackend {
  readonly backend: Backend;
  readonly notes: readonly string[];
}

/**
 * Loads the backend that the user asked for, by option, variable or file; only when nobody asked and ONNX Runtime is not
 * installed, falls back to the reference backend, so that a model runs with no runtime at all.
 */
export async function backendForCommand(asked: string | undefined): Promise<CommandBackend> {
  const { configuration, source } = await chooseBackend(asked);
  try {
    return { backend: await loadBackend(configuration), notes: [] };
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
