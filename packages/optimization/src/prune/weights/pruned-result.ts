import type { Model } from '@modelwright/core';
import type { OptimizationContext, StepResult } from '../../step.js';
import { keepZeros } from './keep-zeros.js';
import { sparsityNotes, weightSparsity } from './weight-sparsity.js';

/** What a step that has pruned gives back: facts, and what keeps the zeros in training that follows. */
export function prunedResult(model: Model, { extensions }: Pick<OptimizationContext, 'extensions'>): StepResult {
  const name = freeName('keepZeros', new Set(extensions.map((each) => each.name)));
  return { model, extensions: [keepZeros({ name })], notes: sparsityNotes(weightSparsity(model)) };
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}${count}`;
  return name;
}
