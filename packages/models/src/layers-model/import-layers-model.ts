import { ModelwrightError } from '@modelwright/core';
import type { LayeredModel } from '../model/layered-model.js';
import { type LayersModelSource, readParts } from './artifacts.js';
import { decodeWeights } from './decode-weights.js';
import { importTopology } from './import-topology.js';
import { assignWeights, type LayersModelWeightReport, requireComplete } from './match-weights.js';

export interface ImportLayersModelOptions {
  /** Whether a weight without a counterpart, on either side, is an error. Default true for models, false for weights alone. */
  readonly strict?: boolean;
}

/** What was read, and what became of it. */
export interface LayersModelReport extends LayersModelWeightReport {
  /** Options of layers that mean nothing here, as `<layer>.<option>`. */
  readonly ignored: readonly string[];
}

/**
 * Reads a model of Keras's or TensorFlow.js's layers, architecture and weights: a `model.json` of format `layers-model` with its
 * shards, also quantized ones (expanded to float32), or what TensorFlow.js hands to a save handler. Inputs, outputs, layers and
 * weights keep the names that they have there.
 *
 * @throws {@link ModelwrightError} `unsupported-op` naming the layers that there are none of here, `invalid-data` for what is no
 *   such model, and for weights that do not fit it.
 * @example
 * const { model, report } = await importLayersModel({
 *   model: await readFile('model.json', 'utf8'),
 *   readShard: (path) => readFile(path),
 * });
 */
export async function importLayersModel(
  source: LayersModelSource,
  { strict = true }: ImportLayersModelOptions = {},
): Promise<{ readonly model: LayeredModel; readonly report: LayersModelReport }> {
  const { topology, kerasVersion, groups } = await readParts(source);
  if (topology === undefined) {
    throw new ModelwrightError(
      'invalid-data',
      'model.json has weights alone, no topology: give them to a model of their own',
      {
        hint: 'importLayersModelWeights(model, source)',
      },
    );
  }
  const ignored: string[] = [];
  const model = importTopology(topology, { kerasVersion, ignored });
  const report = assignWeights(model, decodeWeights(groups));
  if (strict) requireComplete(model.name, report);
  return { model, report: { ...report, ignored } };
}

/**
 * Gives a model the weights of a LayersModel, by the names of layers and weights; the topology there does not matter. The
 * networks of the zoo with Keras's names take those of `keras.applications`.
 *
 * @returns what matched, and what did not.
 * @throws {@link ModelwrightError} `invalid-data` for what cannot be read; with `strict` when anything does not match.
 */
export async function importLayersModelWeights(
  model: LayeredModel,
  source: LayersModelSource,
  { strict = false }: ImportLayersModelOptions = {},
): Promise<LayersModelWeightReport> {
  const { groups } = await readParts(source);
  const report = assignWeights(model, decodeWeights(groups));
  if (strict) requireComplete(model.name, report);
  return report;
}
