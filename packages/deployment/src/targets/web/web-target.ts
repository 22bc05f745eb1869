import { gzipSync } from 'node:zlib';
import type { BundleManifest } from '../../bundle/manifest.js';
import { choiceOption, textOption } from '../options.js';
import { bundleScript } from '../scripts/bundle-script.js';
import { projectFolders } from '../scripts/project-packages.js';
import { proveOnKernels } from '../scripts/prove-on-kernels.js';
import type { BundleFile, Target, TargetContext } from '../target.js';
import { type Engine, engineFiles, enginePath, engines } from './engines.js';
import { pageHeaders, pageHtml, pageIcon, pageStyle } from './page-files.js';

/**
 * A static site on which a visitor tries the model: draws, uploads or writes. The model runs in the browser, is kept by a service
 * worker, and answers only after it has given its known answers again. Any web server will do.
 */
export const webTarget: Target = {
  name: 'web',
  description: 'a static site that runs the model in the visitor’s browser',
  options: {
    engine: `what computes: ${Object.keys(engines).join(', ')}; default wasm, the smallest`,
    title: 'heading of the page; default the name of the model',
    project: 'folder whose node_modules has the packages; default the current one',
  },
  build: buildSite,
  nextSteps: (folder) => [
    `npx http-server ${folder}    # or any other web server`,
    `upload ${folder} to any static host; _headers is read by those that know it`,
  ],
};

async function buildSite(context: TargetContext): Promise<readonly BundleFile[]> {
  const { manifest, common, options, report } = context;
  const engine = engines[choiceOption(options, 'engine', Object.keys(engines)) ?? 'wasm'] as Engine;
  const folders = projectFolders(textOption(options, 'project'));
  if (engine === engines['wasm']) await proveOnKernels(context, { folders, hint: '--set engine=onnxruntime' });
  const id = `${manifest.name}:${manifest.createdAt}`;
  const binaries = await engineFiles(engine, folders);
  const shell = [
    { path: 'index.html', content: pageHtml({ id, ...wordsFor(manifest, textOption(options, 'title')) }) },
    { path: 'style.css', content: pageStyle },
    { path: 'icon.svg', content: pageIcon },
    await script('app.js', pageSource(engine), { folders, engine }),
  ];
  const kept = ['./', ...shell.map(({ path }) => path), ...engine.kept.map(enginePath)];
  const worker = await script('sw.js', workerSource(id, kept), { folders, engine });
  const visited = [...shell, ...binaries.filter(({ path }) => kept.includes(path)), ...common];
  report(`a visitor downloads ${kilobytes(visited)} kB, ${kilobytes(visited, true)} kB compressed`);
  return [...common, ...shell, worker, ...binaries, { path: '_headers', content: pageHeaders }];
}

function wordsFor(
  manifest: TargetContext['manifest'],
  title: string | undefined,
): { readonly name: string; readonly description: string } {
  const { name, description, model } = manifest;
  const names = (tensors: BundleManifest['model']['inputs']): string => tensors.map((each) => each.name).join(', ');
  return {
    name: title ?? name,
    description: description ?? `A neural network: ${names(model.inputs)} in, ${names(model.outputs)} out.`,
  };
}

function pageSource({ source }: Engine): string {
  return `import { startPage } from '@modelwright/deployment/page';
${source}
startPage({ createBackend });`;
}

function workerSource(id: string, shell: readonly string[]): string {
  return `import { startServiceWorker } from '@modelwright/deployment/page';
startServiceWorker(${JSON.stringify({ id, shell })});`;
}

async function script(
  path: string,
  source: string,
  { folders, engine }: { readonly folders: readonly string[]; readonly engine: Engine },
): Promise<BundleFile> {
  return (await bundleScript({ path, source, folders, conditions: ['browser', ...engine.conditions] })).file;
}

function kilobytes(files: readonly BundleFile[], isCompressed = false): number {
  const sizes = files.map(({ content }) => (isCompressed ? gzipSync(content).length : Buffer.byteLength(content)));
  return Math.round(sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0) / 1000);
}
