import { type Backend, createPredictor, type Model, type Tensor, toNumbers } from '@modelwright/core';
import type { Dataset } from '@modelwright/training';

/** The share of examples that a model gets right, by its likeliest class, or by the side of one half where it has one output. */
export async function accuracyOf(
  model: Model,
  data: Dataset,
  { backend }: { readonly backend: Backend },
): Promise<{ readonly value: number; readonly count: number }> {
  const predictor = await createPredictor(model, backend);
  const [input] = model.graph.inputs;
  let [right, count] = [0, 0];
  for await (const { inputs, targets } of data.batch(250)) {
    const results = await predictor.predict({ [input?.name as string]: inputs as Tensor });
    const [output] = Object.values(results) as [Tensor];
    const labels = toNumbers(targets as Tensor);
    const scores = toNumbers(output);
    labels.forEach((label, row) => {
      right += Number(answerOf(scores, row, scores.length / labels.length) === label);
    });
    count += labels.length;
  }
  await predictor.dispose();
  return { value: right / count, count };
}

function answerOf(scores: Float64Array, row: number, classes: number): number {
  const own = scores.subarray(row * classes, (row + 1) * classes);
  return classes === 1 ? Number((own[0] as number) > 0.5) : own.indexOf(Math.max(...own));
}
