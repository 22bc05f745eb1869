import { type Model, ModelwrightError, type Tensor, type TensorMap } from '@modelwright/core';
import type { NamedFile } from '../cli/option-values.js';
import { readTensorFile } from '../files/tensor-files.js';
import { fitInput, stackBatches } from './fit-input.js';

/** Examples read from files. */
export interface Samples {
  /** Inputs by name, `[examples, …]`. */
  readonly inputs: TensorMap;
  /** What else archives hold: labels, say. */
  readonly others: TensorMap;
  readonly notes: readonly string[];
}

/**
 * Reads examples for all inputs of a model: archives by name, files of one tensor for the input they are named for.
 *
 * @param what - The option they were given with, as messages name it.
 * @throws {@link ModelwrightError} `invalid-argument` for an input without values or a name that is none, and what
 *   reading throws.
 */
export async function readSamples(model: Model, files: readonly NamedFile[], what: string): Promise<Samples> {
  const declared = model.graph.inputs;
  const parts = new Map<string, Tensor[]>();
  const others: Record<string, Tensor> = {};
  const notes: string[] = [];
  for (const { name, file } of files) {
    const candidates = name === undefined ? declared : declared.filter((input) => input.name === name);
    if (candidates.length === 0) throw unknownInput(model, name ?? '', what);
    const read = await readTensorFile(file, candidates);
    notes.push(...read.notes);
    const entries = Object.entries(read.tensors);
    for (const [key, tensor] of entries) {
      const input = candidates.find((each) => each.name === (name !== undefined && entries.length === 1 ? name : key));
      if (input === undefined) {
        others[key] = tensor;
        continue;
      }
      const fitted = fitInput(input, tensor);
      notes.push(...fitted.notes);
      parts.set(input.name, [...(parts.get(input.name) ?? []), fitted.tensor]);
    }
  }
  const missing = declared.filter(({ name }) => !parts.has(name)).map(({ name }) => name);
  if (missing.length > 0) throw missingInputs(missing, { what, files, found: Object.keys(others) });
  const inputs = Object.fromEntries([...parts].map(([name, tensors]) => [name, stackBatches(name, tensors)]));
  return { inputs, others, notes };
}

function unknownInput(model: Model, name: string, what: string): ModelwrightError {
  const allowed = model.graph.inputs.map((input) => input.name);
  const message = `${what}: the model has no input '${name}'; its inputs are: ${allowed.join(', ')}`;
  return new ModelwrightError('invalid-argument', message, { given: name, allowed });
}

function missingInputs(
  missing: readonly string[],
  { what, files, found }: { readonly what: string; readonly files: readonly NamedFile[]; readonly found: string[] },
): ModelwrightError {
  const held = found.length > 0 ? `; there is: ${found.join(', ')}` : '';
  const message = `${what}: ${files.map(({ file }) => `'${file}'`).join(', ')} lack the input ${missing.map((name) => `'${name}'`).join(', ')}${held}`;
  return new ModelwrightError('invalid-argument', message, { given: found, allowed: missing });
}
