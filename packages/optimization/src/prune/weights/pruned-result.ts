import type { Model } from '@modelwright/core';
import { measureFileBytes } from '../../report/file-bytes.js';
import { formatBytes } from '../../report/format.js';
import type { OptimizationContext, StepResult } from '../../step.js';
import { keepZeros } from './keep-zeros.js';
import { sparsityNotes, weightSparsity } from './weight-sparsity.js';

/** What a step that has pruned gives back: facts, and what keeps the zeros in training that follows. */
export async function prunedResult(
  before: Model,
  model: Model,
  { extensions }: Pick<OptimizationContext, 'extensions'>,
): Promise<StepResult> {
  const name = freeName('keepZeros', new Set(extensions.map((each) => each.name)));
  const [whole, sparse] = [await measureFileBytes(before), await measureFileBytes(model)];
  const sizes = `compressed file ${formatBytes(whole.compressedBytes)} → ${formatBytes(sparse.compressedBytes)}`;
  return { model, extensions: [keepZeros({ name })], notes: [...sparsityNotes(weightSparsity(model)), sizes] };
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}${count}`;
  return name;
}
