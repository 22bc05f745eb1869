import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, createPredictor, type Model, Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';

/** The first output of a model's file in ONNX Runtime, without any of our code between. */
export async function runDirectly(model: Model, inputs: TensorMap): Promise<Tensor> {
  const session = await InferenceSession.create(writeOnnx(model).bytes, { logSeverityLevel: 3 });
  const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]): [string, RuntimeTensor] => [
    name,
    new RuntimeTensor(dtype as 'float32', data as Float32Array, shape),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  const { type, dims, data } = results[model.graph.outputs[0]?.name ?? ''] as RuntimeTensor;
  return new Tensor(type as 'float32', dims, data as Float32Array);
}

/** The first output of a model on a backend of ours. */
export async function outputOf(model: Model, backend: Backend, inputs: TensorMap): Promise<Tensor> {
  const predictor = await createPredictor(model, backend);
  const outputs = await predictor.predict(inputs);
  await predictor.dispose();
  return outputs[model.graph.outputs[0]?.name ?? ''] as Tensor;
}

/** The ops that ONNX Runtime really runs for a model's file, in order. */
export async function opsThatRun(model: Model): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'modelwright-'));
  try {
    const optimizedModelFilePath = join(folder, 'optimized.onnx');
    const options = { optimizedModelFilePath, logSeverityLevel: 3 } as const;
    await (await InferenceSession.create(writeOnnx(model, { trainingMetadata: false }).bytes, options)).release();
    return readOnnx(readFileSync(optimizedModelFilePath)).graph.nodes.map(({ op }) => op);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `max|a − b| / max|b|` */
export function relativeError(a: Tensor, b: Tensor): number {
  const [x, y] = [toNumbers(a), toNumbers(b)];
  const largest = y.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  return x.reduce((most, each, at) => Math.max(most, Math.abs(each - (y[at] as number))), 0) / largest;
}
