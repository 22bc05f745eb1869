/** Runs the models with @tensorflow/tfjs alone: what is deployed are plain graph models. */
import { readFile } from 'node:fs/promises';
import { checkAnswers } from '@modelwright/example-deploy-models';
import { encodeBatch, loadTokenizer } from '@modelwright/text';
import * as tf from '@tensorflow/tfjs';
import { PNG } from 'pngjs';

interface Manifest {
  readonly processing: { readonly outputs: { readonly [output: string]: { readonly labels: readonly string[] } } };
}

await checkAnswers(async ({ name, type }, sample) => {
  const folder = `output/${name}`;
  const { processing } = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8')) as Manifest;
  const labels = Object.values(processing.outputs)[0]?.labels ?? [];
  const model = await tf.loadGraphModel({ load: () => artifactsIn(folder) });
  const input = type === 'image/png' ? pixelsOf(sample) : await idsOf(folder, sample);
  const scores = await (model.predict(input) as tf.Tensor).data();
  const score = Math.max(...scores);
  return { label: labels[scores.indexOf(score)] as string, score };
});

/** In a page the address of `model.json` alone would do. */
async function artifactsIn(folder: string): Promise<tf.io.ModelArtifacts> {
  const json = JSON.parse(await readFile(`${folder}/model.json`, 'utf8')) as tf.io.ModelJSON;
  const paths = json.weightsManifest.flatMap((group) => group.paths);
  const shards = await Promise.all(paths.map((path) => readFile(`${folder}/${path}`)));
  return {
    ...json,
    weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
    weightData: new Uint8Array(Buffer.concat(shards)).buffer,
  };
}

function pixelsOf(sample: Buffer): tf.Tensor {
  const { width, height, data } = PNG.sync.read(sample);
  const pixels = Float32Array.from({ length: width * height }, (_, index) => (data[4 * index] as number) / 255);
  return tf.tensor(pixels, [1, height, width, 1]);
}

async function idsOf(folder: string, sample: Buffer): Promise<tf.Tensor> {
  const tokenizer = await loadTokenizer(JSON.parse(await readFile(`${folder}/tokenizer.json`, 'utf8')));
  const { ids } = encodeBatch(tokenizer, [sample.toString()], { length: 120 });
  return tf.tensor(Int32Array.from(ids.data), [1, 120], 'int32');
}
