/** Runs the models with onnxruntime-node alone: what is deployed are plain ONNX files. */
import { readFile } from 'node:fs/promises';
import { checkAnswers } from '@modelwright/example-deploy-models';
import { encodeBatch, loadTokenizer } from '@modelwright/text';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { PNG } from 'pngjs';

interface Manifest {
  readonly model: { readonly file: string };
  readonly processing: { readonly outputs: { readonly [output: string]: { readonly labels: readonly string[] } } };
}

await checkAnswers(async ({ name, type }, sample) => {
  const folder = `output/${name}`;
  const { model, processing } = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8')) as Manifest;
  const session = await InferenceSession.create(`${folder}/${model.file}`);
  const [[output, { labels }]] = Object.entries(processing.outputs) as [
    [string, { readonly labels: readonly string[] }],
  ];
  const feed = type === 'image/png' ? pixelsOf(sample) : await idsOf(folder, sample);
  const results = await session.run({ [session.inputNames[0] as string]: feed });
  const scores = [...((results[output] as Tensor).data as Float32Array)];
  const score = Math.max(...scores);
  return { label: labels[scores.indexOf(score)] as string, score };
});

function pixelsOf(sample: Buffer): Tensor {
  const { width, height, data } = PNG.sync.read(sample);
  const pixels = Float32Array.from({ length: width * height }, (_, index) => (data[4 * index] as number) / 255);
  return new Tensor('float32', pixels, [1, height, width, 1]);
}

async function idsOf(folder: string, sample: Buffer): Promise<Tensor> {
  const tokenizer = await loadTokenizer(JSON.parse(await readFile(`${folder}/tokenizer.json`, 'utf8')));
  const { ids } = encodeBatch(tokenizer, [sample.toString()], { length: 120 });
  return new Tensor('int32', Int32Array.from(ids.data), [1, 120]);
}
