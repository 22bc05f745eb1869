import {
  compatibleShape,
  dtypeFacts,
  formatShape,
  type Model,
  ModelwrightError,
  Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { Sample, TensorField } from '../data/index.js';
import type { NamedBatch } from '../program/batch-signature.js';
import type { OutputObjective } from '../program/objective.js';

interface Naming {
  readonly model: Model;
  readonly objectives: readonly OutputObjective[];
}

/**
 * A batch with every tensor under its name, checked against the model: what is wrong with data is told here, in the
 * user's words.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for missing or unknown names, `shape-mismatch`, `dtype-mismatch`,
 *   `value-out-of-range` for labels that name no class.
 */
export function nameBatch({ model, objectives }: Naming, sample: Sample): NamedBatch {
  const inputs = nameInputs(model, sample.inputs);
  const outputs = objectives.map(({ output }) => output);
  const targets = sample.targets === undefined ? {} : nameField(sample.targets, { names: outputs, what: 'target' });
  const weights =
    sample.sampleWeights === undefined ? {} : nameWeights(sample.sampleWeights, outputs, Object.keys(targets));
  const batchSize = sizeOf(inputs);
  requireBatch(targets, { batchSize, what: 'targets' });
  requireBatch(weights, { batchSize, what: 'sample weights' });
  for (const objective of objectives) checkLabels(model, objective, targets[objective.output]);
  return { inputs, targets, sampleWeights: weights };
}

/** Inputs by name, checked against the model. */
export function nameInputs(model: Model, field: TensorField): TensorMap {
  const declared = model.graph.inputs;
  const names = declared.map(({ name }) => name);
  const given = nameField(field, { names, what: 'input' });
  const missing = names.find((name) => given[name] === undefined);
  if (missing !== undefined) {
    throw new ModelwrightError(
      'invalid-argument',
      `model '${model.name}' needs the input '${missing}'; given were: ${Object.keys(given).join(', ')}`,
      { input: missing, given: Object.keys(given), allowed: names },
    );
  }
  // The model's order makes equal batches have equal signatures.
  return Object.fromEntries(
    declared.map((input) => [input.name, checkInput(model, input, given[input.name] as Tensor)]),
  );
}

/** Number of examples in a batch. */
export function sizeOf(inputs: TensorMap): number {
  for (const name in inputs) return inputs[name]?.shape[0] ?? 1;
  return 0;
}

function checkInput(model: Model, input: Value, given: Tensor): Tensor {
  if (!compatibleShape(given.shape, input.shape)) {
    const lacksBatch = given.rank === input.shape.length - 1;
    throw new ModelwrightError(
      'shape-mismatch',
      `input '${input.name}' of model '${model.name}' has shape ${formatShape(input.shape)}, but the batch is ` +
        `${formatShape(given.shape)}${lacksBatch ? '; is the batch axis missing?' : ''}`,
      { input: input.name, given: given.shape, allowed: input.shape },
    );
  }
  const convertible = dtypeFacts[given.dtype].kind !== 'string' || input.dtype === 'string';
  if (convertible) return given;
  throw new ModelwrightError(
    'dtype-mismatch',
    `input '${input.name}' of model '${model.name}' is ${input.dtype}, but the batch is ${given.dtype}`,
    { input: input.name, given: given.dtype, allowed: input.dtype },
  );
}

function nameField(
  field: TensorField,
  { names, what }: { readonly names: readonly string[]; readonly what: string },
): TensorMap {
  if (field instanceof Tensor) {
    const [only] = names;
    if (only !== undefined && names.length === 1) return { [only]: field };
    throw new ModelwrightError(
      'invalid-argument',
      names.length === 0
        ? `the batch has a ${what}, but there is no loss or metric to use it`
        : `there are ${names.length} ${what}s (${names.join(', ')}); give them by name`,
      { allowed: names },
    );
  }
  const unknown = Object.keys(field).find((name) => !names.includes(name));
  if (unknown === undefined) return field;
  throw new ModelwrightError('invalid-argument', `there is no ${what} '${unknown}'; there are: ${names.join(', ')}`, {
    given: unknown,
    allowed: names,
  });
}

function nameWeights(field: TensorField, outputs: readonly string[], trained: readonly string[]): TensorMap {
  if (!(field instanceof Tensor)) return nameField(field, { names: outputs, what: 'sample weight' });
  return Object.fromEntries(trained.map((output) => [output, field]));
}

function requireBatch(
  tensors: TensorMap,
  { batchSize, what }: { readonly batchSize: number; readonly what: string },
): void {
  for (const [output, { shape, dtype }] of Object.entries(tensors)) {
    if (dtype === 'string') {
      const allowed = 'numbers; give classes as 0, 1, 2, …';
      throw new ModelwrightError(
        'dtype-mismatch',
        `${what} of output '${output}' are text where there must be ${allowed}`,
        {
          layer: output,
          given: dtype,
        },
      );
    }
    if (shape[0] === batchSize) continue;
    throw new ModelwrightError(
      'shape-mismatch',
      `${what} of output '${output}' have shape ${formatShape(shape)}, but the batch has ${batchSize} examples`,
      { layer: output, given: shape, allowed: batchSize },
    );
  }
}

// Labels outside of the classes would read or write foreign memory in some runtimes; they are cheap to check.
function checkLabels(model: Model, { output, loss }: OutputObjective, target: Tensor | undefined): void {
  if (target === undefined || loss?.targets !== 'classes') return;
  const classes = model.graph.outputs.find(({ name }) => name === output)?.value.shape.at(-1);
  if (typeof classes !== 'number') return;
  const { ignoredClass } = loss;
  const { data } = target;
  for (let index = 0; index < data.length; index++) {
    const label = Number(data[index]);
    if ((label >= 0 && label < classes && Number.isInteger(label)) || label === ignoredClass) continue;
    throw new ModelwrightError(
      'value-out-of-range',
      `label ${label} of output '${output}' (example ${exampleOf(target, index)} of the batch) is no class; ` +
        `the model has ${classes}: 0…${classes - 1}`,
      { layer: output, given: label, allowed: [0, classes - 1] },
    );
  }
}

function exampleOf({ shape }: Tensor, index: number): number {
  return Math.floor(index / shape.slice(1).reduce((product, extent) => product * extent, 1));
}
