import { dirname } from 'node:path';
import type { BundleManifest } from '../../bundle/manifest.js';
import { choiceOption, countOption, textOption, wrongOption } from '../options.js';
import { placed } from '../placed.js';
import type { BundleFile, ManifestDraft, Target, TargetBuild, TargetContext } from '../target.js';
import { toTextFormat } from './text-format.js';
import { isBatched, type TritonSettings, tritonConfig } from './triton-config.js';

/** Options that say how Triton serves a model; KServe's runtime takes them, too. */
export const tritonOptions: Target['options'] = {
  'max-batch-size': 'examples that run as one at most (default 32; 0 without a batch axis)',
  'preferred-batch-sizes': 'sizes worth waiting for, with commas between: 8,16',
  'max-queue-delay-microseconds': 'how long the first of a batch waits for others (default 500)',
  instances: 'copies of the model that run at once (default 1)',
  device: 'auto, cpu or gpu (default auto)',
  versions: 'how many of the newest versions are served (default 1)',
};

/** A model of a Triton Inference Server's model repository. */
export const tritonTarget: Target = {
  name: 'triton',
  description: 'a model in the repository of a Triton Inference Server',
  options: tritonOptions,
  folder: (model) => `model-repository/${model}`,
  build: async (context) => {
    const { files, manifest } = tritonModel(context);
    return { files: [...files, { path: 'README.md', content: readme(manifest) }], manifest };
  },
  nextSteps: (folder) => [
    `tritonserver --model-repository=${dirname(folder)}`,
    `modelwright serve ${dirname(folder)}        # the same folder, without Triton`,
  ],
};

/**
 * The folder of one model: `config.pbtxt`, labels and the version's folder with the model.
 *
 * @param prefix - Where the folder is in the bundle, ending in `/`; left out, it is the bundle itself.
 */
export function tritonModel(context: Pick<TargetContext, 'common' | 'manifest' | 'options'>, prefix = ''): TargetBuild {
  const { manifest } = context;
  const ofModel = new Set([manifest.model.file, ...(manifest.model.externalData ?? [])]);
  const folder = `${prefix}${manifest.version}/`;
  const moved = placed(context, (path) => (ofModel.has(path) ? `${folder}${path}` : path));
  const labels = labelFiles(manifest);
  const settings = settingsFrom(context.options, manifest, labels);
  return {
    ...moved,
    files: [
      { path: `${prefix}config.pbtxt`, content: toTextFormat(tritonConfig(manifest, settings)) },
      ...labels.map(({ path, content }) => ({ path: `${prefix}${path}`, content })),
      ...moved.files,
    ],
  };
}

interface LabelFile extends BundleFile {
  readonly output: string;
}

function labelFiles({ processing }: ManifestDraft): readonly LabelFile[] {
  return Object.entries(processing?.outputs ?? {}).flatMap(([output, spec], index) => {
    if (spec.kind !== 'labels') return [];
    const content = `${spec.labels.map((label) => label.replaceAll(/[\r\n]+/g, ' ')).join('\n')}\n`;
    return [{ output, path: index === 0 ? 'labels.txt' : `labels-${index + 1}.txt`, content }];
  });
}

function settingsFrom(
  options: TargetContext['options'],
  { model }: ManifestDraft,
  labels: readonly LabelFile[],
): TritonSettings {
  const canBatch = isBatched(model);
  const maxBatchSize = countOption(options, 'max-batch-size', { most: 2 ** 20 }) ?? (canBatch ? 32 : 0);
  if (maxBatchSize > 0 && !canBatch)
    throw wrongOption('max-batch-size', maxBatchSize, '0, since not every input and output has an open first axis');
  return {
    maxBatchSize,
    preferredBatchSizes: preferredSizes(options, maxBatchSize),
    maxQueueDelayMicroseconds: countOption(options, 'max-queue-delay-microseconds') ?? 500,
    instances: countOption(options, 'instances', { least: 1, most: 1024 }) ?? 1,
    device: choiceOption(options, 'device', ['auto', 'cpu', 'gpu']) ?? 'auto',
    versions: countOption(options, 'versions', { least: 1, most: 1000 }) ?? 1,
    labelFiles: Object.fromEntries(labels.map(({ output, path }) => [output, path])),
  };
}

function preferredSizes(options: TargetContext['options'], maxBatchSize: number): readonly number[] {
  const text = textOption(options, 'preferred-batch-sizes');
  if (text === undefined) return [];
  const sizes = text.split(',').map(Number);
  if (sizes.every((size) => Number.isSafeInteger(size) && size > 0 && size <= maxBatchSize)) return sizes;
  throw wrongOption('preferred-batch-sizes', text, `whole numbers from 1 to max-batch-size (${maxBatchSize})`);
}

function readme({ name, version, model }: ManifestDraft | BundleManifest): string {
  const requests = model.inputs.map(({ name: input }) => `\`${input}\``).join(', ');
  return `# ${name} for Triton Inference Server

This folder is one model of a model repository: put it, under the name that clients shall use, into the folder that
\`tritonserver --model-repository\` is given.

    ${name}/
      config.pbtxt       batching, instances, versions
      ${version}/model.onnx
      manifest.json      hashes of all files; golden.json inputs with known answers

Clients send tensors (${requests}) by the Open Inference Protocol; what turns pictures and texts into them stands in
\`manifest.json\` under \`processing\`. A newer version goes beside this one, into a folder with the next number.
\`modelwright verify\` checks the folder wherever it has been copied to, and \`modelwright serve\` serves the repository as well.
`;
}
