import { Model } from '@modelwright/core';
import type { OptimizationRecord, StageRecord } from './record.js';

/** Key of a model's metadata, and of `metadata_props` in its file, under which its {@link OptimizationRecord} stands. */
export const recordKey = 'modelwright.optimization';

/** The same model with its record in the metadata; tables of layers are left out, since they would fill the file. */
export function withRecord(model: Model, record: OptimizationRecord): Model {
  const stages = record.stages.map(({ errors: _errors, ...stage }) => stage);
  return withMetadata(model, { ...model.metadata, [recordKey]: JSON.stringify({ ...record, stages }, shortened) });
}

/** As many digits as measurements have. */
function shortened(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}

/** The same model without a record. */
export function withoutRecord(model: Model): Model {
  const { [recordKey]: record, ...metadata } = model.metadata;
  return record === undefined ? model : withMetadata(model, metadata);
}

/** The record of a model that {@link optimize} made, also after it was saved and read; undefined if it has none. */
export function recordOf(model: Model): OptimizationRecord | undefined {
  const text = model.metadata[recordKey];
  if (text === undefined) return undefined;
  try {
    const parsed = JSON.parse(text) as Partial<OptimizationRecord> | null;
    const known = parsed?.format === 'modelwright-optimization' && parsed.version === 1;
    const whole = known && Array.isArray(parsed.stages) && parsed.stages.every(isStage);
    return whole ? (parsed as OptimizationRecord) : undefined;
  } catch {
    // Somebody else's entry under the same key.
    return undefined;
  }
}

/** Files come from anywhere: what is shown must be there. */
function isStage(stage: Partial<StageRecord> | null): boolean {
  if (typeof stage !== 'object' || stage === null) return false;
  const counts = [stage.fileBytes, stage.compressedBytes, stage.weights, stage.nonZeroWeights, stage.weightBytes];
  const whole = counts.every((count) => typeof count === 'number');
  return whole && typeof stage.name === 'string' && Array.isArray(stage.speeds) && Array.isArray(stage.notes);
}

/** A copy: weights set on it do not reach the original. */
export function withMetadata(model: Model, metadata: { readonly [key: string]: string }): Model {
  const { name, graph, parameters, layers, states, losses, outputMasks } = model;
  return new Model({ name, graph, parameters, layers, states, losses, outputMasks, metadata });
}
