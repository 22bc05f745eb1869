import { textOption, wrongOption } from '../options.js';
import type { BundleFile, Target, TargetContext } from '../target.js';
import { toTensorflow } from './to-tensorflow.js';
import { verifyScript } from './verify-script.js';

/** The size that browsers keep in their caches. */
const shardSizeBytes = 4 << 20;

/** A graph model that stock TensorFlow.js loads, with the proof that it answers there as the model does. */
export const tfjsTarget: Target = {
  name: 'tfjs',
  description: 'a graph model (model.json and shards) for stock TensorFlow.js',
  options: {
    dimensions: "extents to fix, as in 'time=64': recurrent layers need the number of their steps",
  },
  build: async (context) => [...context.common, ...graphModel(context)],
  nextSteps: (folder) => [
    `npm install @tensorflow/tfjs && node ${folder}/verify.mjs`,
    `const model = await tf.loadGraphModel('/${folder}/model.json');`,
  ],
};

function graphModel({ model, manifest, options }: TargetContext): readonly BundleFile[] {
  const { nodes, signature, weights, weightData } = toTensorflow(model, dimensionsFrom(options));
  const count = Math.max(1, Math.ceil(weightData.length / shardSizeBytes));
  const shards = Array.from({ length: count }, (_, index) => ({
    path: `group1-shard${index + 1}of${count}.bin`,
    content: weightData.subarray(index * shardSizeBytes, (index + 1) * shardSizeBytes),
  }));
  const json = {
    format: 'graph-model',
    generatedBy: manifest.generator,
    convertedBy: manifest.generator,
    signature,
    modelTopology: { node: nodes, library: {}, versions: { producer: 1 } },
    weightsManifest: [{ paths: shards.map(({ path }) => path), weights }],
  };
  return [
    { path: 'model.json', content: JSON.stringify(json) },
    ...shards,
    { path: 'verify.mjs', content: verifyScript },
  ];
}

function dimensionsFrom(options: TargetContext['options']): { readonly [symbol: string]: number } {
  const text = textOption(options, 'dimensions');
  if (text === undefined) return {};
  const pairs = text.split(',').map((pair): readonly [string, number] => {
    const [, symbol, extent] = /^\s*([^=]+?)\s*=\s*(\d+)\s*$/.exec(pair) ?? [];
    if (symbol === undefined) throw wrongOption('dimensions', text, "symbols and numbers: 'time=64,height=28'");
    return [symbol, Number(extent)];
  });
  return Object.fromEntries(pairs);
}
