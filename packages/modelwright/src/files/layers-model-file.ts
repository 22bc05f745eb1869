import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import {
  type ImportLayersModelOptions,
  importLayersModel,
  importLayersModelWeights,
  type LayeredModel,
  type LayersModelFile,
  type LayersModelReport,
  type LayersModelWeightReport,
} from '@modelwright/models';
import { reasonOf } from './tensor-files.js';

/**
 * Reads a model of Keras's or TensorFlow.js's layers: a `model.json` with its shards beside it.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, and as `importLayersModel`.
 * @example
 * const { model, report } = await readLayersModelFile('web_model/model.json');
 */
export async function readLayersModelFile(
  file: string,
  options: ImportLayersModelOptions = {},
): Promise<{ readonly model: LayeredModel; readonly report: LayersModelReport }> {
  return importLayersModel(await openLayersModel(file), options);
}

/**
 * Gives a model the weights of a `model.json` with its shards, by the names of layers and weights.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, and as `importLayersModelWeights`.
 */
export async function readLayersModelWeightsFile(
  model: LayeredModel,
  file: string,
  options: ImportLayersModelOptions = {},
): Promise<LayersModelWeightReport> {
  return importLayersModelWeights(model, await openLayersModel(file), options);
}

async function openLayersModel(file: string): Promise<LayersModelFile> {
  return { model: await read(file), readShard: (path) => read(besides(file, path)) };
}

// What a file names lies in its folder, or it is not read.
function besides(file: string, path: string): string {
  if (!isAbsolute(path) && !normalize(path).startsWith('..')) return join(dirname(file), path);
  throw new ModelwrightError('invalid-data', `'${file}' names the shard '${path}', which is outside of its folder`, {
    file,
    given: path,
  });
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `cannot read '${path}': ${reasonOf(cause)}`, { file: path, cause });
  }
}
