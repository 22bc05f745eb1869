import { placed } from '../placed.js';
import type { Target } from '../target.js';
import { indexFile, mainFile, modelFile, packageFile, preloadFile, readmeFile, rendererFile } from './app-files.js';

/** Notes in the form of a small app: the model runs in a process of its own, by the native runtime, and pages ask it through a bridge. */
export const electronTarget: Target = {
  name: 'electron',
  description: 'a small Electron app around the model, to start from',
  options: {},
  build: async (context) => {
    const { files, manifest } = placed(context, (path) => `model/${path}`);
    const app = {
      'package.json': packageFile(manifest),
      'main.js': mainFile,
      'model-process.js': modelFile,
      'preload.cjs': preloadFile,
      'index.html': indexFile(manifest),
      'renderer.js': rendererFile(manifest),
      'README.md': readmeFile(manifest),
    };
    return { manifest, files: [...files, ...Object.entries(app).map(([path, content]) => ({ path, content }))] };
  },
  nextSteps: (folder) => [`cd ${folder} && npm install && npm start`],
};
