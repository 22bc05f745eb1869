import {
  type Backend,
  createPredictor,
  type Model,
  ModelwrightError,
  Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import type { Evaluation } from '@modelwright/optimization';
import { importFunction } from '../files/import-module.js';
import { tensorFileExtensions } from '../files/tensor-files.js';
import { readSamples } from './read-samples.js';

/** Judges a model: larger is better. */
export type Judge = (model: Model) => Promise<Evaluation>;

/**
 * What `--evaluate FILE` judges by: the default export of a module, called with the model and the backend, or the share of
 * right answers on labelled examples of an archive.
 *
 * @throws {@link ModelwrightError} for a file that cannot be read or holds no judge.
 */
export async function judgeFrom(file: string, model: Model, backend: Backend): Promise<Judge> {
  if (!tensorFileExtensions.some((extension) => file.endsWith(extension))) {
    const judge = await importFunction(file, '--evaluate');
    return async (candidate) => judge(...([candidate, { backend }] as never[])) as Promise<Evaluation>;
  }
  const { inputs, others } = await readSamples(model, [{ file }], '--evaluate');
  const labels = labelNames.map((name) => others[name]).find((tensor) => tensor !== undefined);
  if (labels === undefined) {
    const message = `--evaluate: '${file}' holds no labels; they are called ${labelNames.join(' or ')}`;
    throw new ModelwrightError('invalid-argument', message, { file, given: Object.keys(others), allowed: labelNames });
  }
  return (candidate) => shareOfRight(candidate, backend, { inputs, labels: toNumbers(labels) });
}

const labelNames = ['labels', 'label', 'targets', 'y'];
const examplesABatch = 64;

/** The class with the highest score of the first output against the label. */
async function shareOfRight(
  model: Model,
  backend: Backend,
  { inputs, labels }: { readonly inputs: TensorMap; readonly labels: Float64Array },
): Promise<Evaluation> {
  const predictor = await createPredictor(model, backend);
  const [output] = model.graph.outputs;
  let right = 0;
  try {
    for (let start = 0; start < labels.length; start += examplesABatch) {
      const end = Math.min(labels.length, start + examplesABatch);
      const outputs = await predictor.predict(sliceRows(inputs, start, end));
      const scores = outputs[output?.name ?? ''] as Tensor;
      const classes = scores.elementCount / (end - start);
      const values = toNumbers(scores);
      for (let row = 0; row < end - start; row++) {
        const own = values.subarray(row * classes, (row + 1) * classes);
        if (own.indexOf(Math.max(...own)) === labels[start + row]) right++;
      }
    }
  } finally {
    await predictor.dispose();
  }
  return { value: right / labels.length, count: labels.length };
}

function sliceRows(inputs: TensorMap, start: number, end: number): TensorMap {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => {
      const row = tensor.elementCount / (tensor.shape[0] ?? 1);
      return [
        name,
        new Tensor(tensor.dtype, [end - start, ...tensor.shape.slice(1)], tensor.data.slice(start * row, end * row)),
      ];
    }),
  );
}
