import { stringify } from 'yaml';
import { kubernetesName } from '../kubernetes/kubernetes-name.js';
import { replicasFrom, resourcesFrom, scalingOptions } from '../kubernetes/resource-options.js';
import { choiceOption, textOption, wrongOption } from '../options.js';
import { sizeOfModel } from '../size-of-model.js';
import type { BundleFile, ManifestDraft, Target } from '../target.js';
import { tritonModel, tritonOptions } from '../triton/triton.js';
import { inferenceService, ownRuntime, servingRuntime } from './inference-service.js';

const runtimes = ['triton', 'modelwright'] as const;

/** A model that KServe runs: the folder of a repository, and the `InferenceService` that names it. */
export const kserveTarget: Target = {
  name: 'kserve',
  description: 'an InferenceService of KServe, run by Triton or by the server of Modelwright',
  options: {
    'storage-uri': 'where the repository will be stored: s3://…, gs://…, pvc://claim/path (default pvc://models)',
    runtime: 'triton, or modelwright: our server, which runs the proof when it loads the model (default triton)',
    image: 'image of the server, for runtime=modelwright',
    ...scalingOptions,
    ...tritonOptions,
  },
  folder: (model) => `model-repository/${model}`,
  build: async (context) => {
    const { options, manifest } = context;
    const model = tritonModel(context);
    const runtime = choiceOption(options, 'runtime', runtimes) ?? 'triton';
    const service = inferenceService(manifest, {
      storageUri: storageUriFrom(options),
      runtime: runtime === 'triton' ? 'kserve-tritonserver' : ownRuntime,
      replicas: replicasFrom(options, 1),
      resources: resourcesFrom(options, sizeOfModel(context)),
    });
    const own: BundleFile[] = runtime === 'triton' ? [] : [yaml('serving-runtime', servingRuntime(imageFrom(options)))];
    const files = [yaml('inference-service', service), ...own, ...model.files];
    return { ...model, files: [...files, { path: 'README.md', content: readme(manifest, options) }] };
  },
  nextSteps: (folder, { name }) => [
    `# copy ${folder} to <storage-uri>/${name}, then:`,
    `kubectl apply -f ${folder}/kserve`,
    `kubectl get inferenceservice ${kubernetesName(name)}`,
  ],
};

const yaml = (name: string, content: object): BundleFile => ({
  path: `kserve/${name}.yaml`,
  content: stringify(content),
});

function storageUriFrom(options: Readonly<Record<string, unknown>>): string {
  const uri = textOption(options, 'storage-uri') ?? 'pvc://models';
  if (/^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(uri)) return uri;
  throw wrongOption('storage-uri', uri, 'an address: s3://bucket/path, pvc://claim/path');
}

function imageFrom(options: Readonly<Record<string, unknown>>): string {
  const image = textOption(options, 'image');
  if (image !== undefined && /^[\w][\w./:@-]*$/.test(image)) return image;
  throw wrongOption('image', image, 'the image of the server, which target node-service has the Dockerfile of');
}

function readme({ name, version }: ManifestDraft, options: Readonly<Record<string, unknown>>): string {
  const service = kubernetesName(name);
  return `# ${name} for KServe

This folder is one model of a repository in Triton's layout. Copy it to \`${storageUriFrom(options)}/${name}\`, then

    kubectl apply -f kserve
    kubectl wait --for=condition=Ready inferenceservice/${service}

\`kserve/inference-service.yaml\` names the repository, the runtime, how many copies there are and what each may use. Clients speak the
Open Inference Protocol to \`/v2/models/${name}/infer\`. A newer version goes beside \`${version}/\`, into a folder with the next number.
\`modelwright verify\` checks the folder wherever it has been copied to.
`;
}
