import { installCommands, ModelwrightError } from '@modelwright/core';

interface KnownFailure {
  readonly pattern: RegExp;
  readonly message: string;
  readonly hint: string;
}

const install =
  'npm install --ignore-scripts @tensorflow/tfjs-node-gpu, then node scripts/install.js gpu download in its folder';

/** How loading the package fails, the most telling first. */
const knownFailures: readonly KnownFailure[] = [
  {
    pattern: /Cannot find (package|module) '@tensorflow\/tfjs-node-gpu'|tried to access @tensorflow\/tfjs-node-gpu/,
    message: '@tensorflow/tfjs-node-gpu is not installed',
    hint: `${installCommands('@tensorflow/tfjs-node-gpu')}, on Linux or Windows, x64, with CUDA 11.2 and cuDNN 8.1`,
  },
  {
    pattern: /libcudart|libcublas|libcudnn|libcufft|libcusolver/,
    message: 'libraries of CUDA 11.2 or cuDNN 8.1 are missing',
    hint: 'install CUDA 11.2 and cuDNN 8.1 and put them on LD_LIBRARY_PATH; for a newer CUDA use engine onnxruntime',
  },
  {
    pattern: /libtensorflow/,
    message:
      'libtensorflow is missing: the install script of @tensorflow/tfjs-node-gpu did not run or could not download it',
    hint: install,
  },
  {
    pattern: /tfjs_binding|addon|node-pre-gyp|specified module could not be found/i,
    message: 'the addon of @tensorflow/tfjs-node-gpu is not built for this Node',
    hint: `${install}, and npx node-pre-gyp install --build-from-source; package managers may have to be told to run install scripts`,
  },
];

/** Says in words of the user why `@tensorflow/tfjs-node-gpu` does not load, and what to do. */
export function explainTensorflow(cause: unknown): never {
  const text = cause instanceof Error ? cause.message : String(cause);
  const known = knownFailures.find(({ pattern }) => pattern.test(text));
  const first = text.split('\n')[0] as string;
  const message = known?.message ?? `@tensorflow/tfjs-node-gpu cannot be loaded: ${first}`;
  throw new ModelwrightError('backend-unavailable', message, { cause, hint: known?.hint ?? install });
}
