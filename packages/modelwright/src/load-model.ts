import { type Backend, createPredictor, type Model, type Predictor } from '@modelwright/core';
import { readOnnxFile, type WriteFileOptions, writeOnnxFile } from '@modelwright/onnx/file';
import type { BackendConfiguration } from './backend/backend-configuration.js';
import { loadBackend } from './backend/load-backend.js';
import { readLayersModelFile } from './files/layers-model-file.js';

export interface LoadModelOptions {
  /** A backend, or what {@link loadBackend} takes; default is what that loads without an argument. */
  readonly backend?: Backend | string | BackendConfiguration;
}

/**
 * Reads an ONNX file, or a `model.json` of Keras or TensorFlow.js with its shards, and compiles it for a backend.
 *
 * A backend that is loaded here is freed with the predictor; one that was passed in stays the caller's.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-model`, `backend-unavailable`, `unsupported-op`, …
 * @example
 * const digits = await loadModel('digits.onnx');
 * const { probabilities } = await digits.predict({ image });
 */
export async function loadModel(file: string, options: LoadModelOptions = {}): Promise<Predictor> {
  const model = file.endsWith('.json') ? (await readLayersModelFile(file)).model : await readOnnxFile(file);
  if (isBackend(options.backend)) return createPredictor(model, options.backend);
  const backend = await loadBackend(options.backend);
  try {
    const predictor = await createPredictor(model, backend);
    return { ...predictor, dispose: () => backend.dispose() };
  } catch (error) {
    await backend.dispose();
    throw error;
  }
}

/**
 * Writes a model as an ONNX file; weights above 2 GB go into a file beside it. Both appear whole or not at all.
 *
 * Layout changes between channels-last layers that undo each other are left out of the file.
 *
 * @returns the paths that were written; the model's own first.
 * @throws {@link ModelwrightError} `file-unwritable`, `unsupported-version`, `unsupported-op`.
 * @example
 * await saveModel(trainer.model, 'digits.onnx');
 */
export async function saveModel(
  model: Model,
  file: string,
  options: WriteFileOptions = {},
): Promise<readonly string[]> {
  return writeOnnxFile(model, file, options);
}

function isBackend(given: LoadModelOptions['backend']): given is Backend {
  return typeof given === 'object' && 'compile' in given;
}
