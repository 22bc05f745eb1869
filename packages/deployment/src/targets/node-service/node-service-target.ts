import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { countOption, textOption } from '../options.js';
import { placed } from '../placed.js';
import { innerManifest } from '../scripts/inner-manifest.js';
import { projectFolders, requirePackage } from '../scripts/project-packages.js';
import type { BundleFile, Target, TargetBuild, TargetContext } from '../target.js';
import { readmeFile } from './readme-file.js';
import {
  dockerFile,
  dockerIgnore,
  healthCheckFile,
  packageFile,
  type ServicePlan,
  serverFile,
  serviceName,
  systemdUnit,
} from './service-files.js';

/**
 * A Node project that serves the model: HTTP and gRPC, keys, metrics, health checks, a container file and a systemd unit. The model lies
 * in it as a bundle of its own, so that others can be put beside it, and so that the server proves it before it serves.
 */
export const nodeServiceTarget: Target = {
  name: 'node-service',
  description: 'a Node project that serves the model, with Dockerfile, health checks and systemd unit',
  options: {
    port: 'where it listens unless PORT says otherwise (default 8000)',
    project: 'folder whose node_modules tells the versions of packages; default the current one',
  },
  build: buildService,
  nextSteps: (folder) => [
    `cd ${folder} && npm install && npm start`,
    `modelwright serve ${folder}/models        # the same models, without the project`,
  ],
};

async function buildService(context: TargetContext): Promise<TargetBuild> {
  const { manifest, common, options } = context;
  const { name, version } = manifest;
  const plan: ServicePlan = {
    manifest,
    port: countOption(options, 'port', { least: 1, most: 65_535 }) ?? 8000,
    dependencies: dependenciesOf(projectFolders(textOption(options, 'project'))),
  };
  const folder = `models/${name}/${version}/`;
  const build = placed(context, (path) => `${folder}${path}`);
  const inner = await innerManifest(manifest, common);
  const own: readonly BundleFile[] = [
    { path: 'package.json', content: packageFile(plan) },
    { path: 'server.js', content: serverFile(plan) },
    { path: 'healthcheck.js', content: healthCheckFile(plan) },
    { path: 'Dockerfile', content: dockerFile(plan) },
    { path: '.dockerignore', content: dockerIgnore },
    { path: `${serviceName(manifest)}.service`, content: systemdUnit(plan) },
    { path: 'README.md', content: readmeFile(plan) },
    // The one that the server finds beside the model.
    { path: `${folder}${inner.path}`, content: inner.content },
  ];
  return { ...build, files: [...build.files, ...own] };
}

/** Ours in the versions that made the bundle, the runtime in that which they found. */
function dependenciesOf(folders: readonly string[]): ServicePlan['dependencies'] {
  const modelwright = requirePackage('modelwright', folders);
  const within = [modelwright, ...folders];
  const backend = requirePackage('@modelwright/backend-onnxruntime', within);
  const places: { readonly [name: string]: string } = {
    '@modelwright/backend-onnxruntime': backend,
    '@modelwright/deployment': requirePackage('@modelwright/deployment', within),
    '@modelwright/server': requirePackage('@modelwright/server', within),
    koffi: requirePackage('koffi', [backend, ...within]),
    modelwright,
    'onnxruntime-node': requirePackage('onnxruntime-node', [backend, ...within]),
  };
  return Object.fromEntries(Object.entries(places).map(([name, folder]) => [name, `^${versionIn(folder)}`]));
}

function versionIn(folder: string): string {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly version: string };
  return version;
}
