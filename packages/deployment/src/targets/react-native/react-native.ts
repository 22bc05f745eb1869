import { placed } from '../placed.js';
import type { Target } from '../target.js';
import { metroFile, modelFile, readmeFile } from './app-files.js';

/** Notes in the form of a module: the bundle, and code that opens it with the runtime for React Native. */
export const reactNativeTarget: Target = {
  name: 'react-native',
  description: 'the model and a module that runs it in a React Native app, to start from',
  options: {},
  build: async (context) => {
    const { files, manifest } = placed(context, (path) => `assets/${path}`);
    const own = { 'open-model.js': modelFile, 'metro.config.example.js': metroFile, 'README.md': readmeFile(manifest) };
    return { manifest, files: [...files, ...Object.entries(own).map(([path, content]) => ({ path, content }))] };
  },
  nextSteps: (folder) => [
    `cp -r ${folder} app/model        # into the app, see ${folder}/README.md`,
    `npx expo install onnxruntime-react-native && npm install @modelwright/deployment`,
  ],
};
