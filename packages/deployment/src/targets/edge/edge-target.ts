import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ModelwrightError } from '@modelwright/core';
import { choiceOption, flagOption, textOption } from '../options.js';
import { bundleScript } from '../scripts/bundle-script.js';
import { projectFolders, requirePackage } from '../scripts/project-packages.js';
import { proveOnKernels } from '../scripts/prove-on-kernels.js';
import type { BundleFile, Target, TargetContext } from '../target.js';
import {
  type EntryPlan,
  engineFile,
  handlerFile,
  handlerSource,
  runFiles,
  serverEntry,
  workerdEntry,
  wranglerConfiguration,
} from './entry-files.js';
import { type EdgePlatform, edgePlatforms, formatSize } from './platforms.js';

/**
 * A worker with `fetch` for platforms at the edge of the network: Cloudflare Workers (workerd), Deno and Bun. The small WebAssembly
 * kernels compute; the model is part of the worker, or fetched by it where it is too large for that.
 */
export const edgeTarget: Target = {
  name: 'edge',
  description: 'a worker with fetch, for Cloudflare Workers, Deno and Bun',
  options: {
    platform: `whose limits it has to keep: ${Object.keys(edgePlatforms).join(', ')}; default cloudflare-free`,
    weights: 'embedded in the worker, or fetched when it starts; default embedded where that is within the limits',
    public: 'let everybody ask; otherwise the secret MODELWRIGHT_KEYS says who may (default false)',
    project: 'folder whose node_modules has the packages; default the current one',
  },
  build: buildWorker,
  nextSteps: (folder) => [
    `modelwright keys create --name app --role user --file keys.json    # unless it is public: npx wrangler secret put MODELWRIGHT_KEYS < keys.json`,
    `cd ${folder} && npx wrangler dev      # here; npx wrangler deploy puts it onto Cloudflare`,
    `deno serve --allow-read --allow-env ${folder}/server.js      # or: bun run ${folder}/server.js`,
  ],
};

async function buildWorker(context: TargetContext): Promise<readonly BundleFile[]> {
  const { manifest, common, options, report } = context;
  const platform = edgePlatforms[
    choiceOption(options, 'platform', Object.keys(edgePlatforms)) ?? 'cloudflare-free'
  ] as EdgePlatform;
  const folders = projectFolders(textOption(options, 'project'));
  await proveOnKernels(context, { folders, hint: 'deploy it as a service: --target node-service' });
  const code = await codeFiles(folders);
  const needed = runFiles(manifest);
  const data = common.filter(({ path }) => needed.includes(path));
  checkMemory(data, platform, report);
  const plan: EntryPlan = {
    manifest,
    isEmbedded: decideEmbedding(choiceOption(options, 'weights', ['embedded', 'fetched']), {
      code,
      data,
      platform,
      report,
    }),
    isPublic: flagOption(options, 'public') ?? false,
  };
  return [
    ...common,
    ...code,
    { path: 'worker.js', content: workerdEntry(plan) },
    { path: 'server.js', content: serverEntry(plan) },
    { path: 'package.json', content: '{ "private": true, "type": "module" }\n' },
    { path: 'wrangler.json', content: wranglerConfiguration(plan) },
    ...(plan.isEmbedded
      ? []
      : [{ path: '.assetsignore', content: `${['*.js', '*.wasm', 'wrangler.json', '.wrangler'].join('\n')}\n` }]),
  ];
}

async function codeFiles(folders: readonly string[]): Promise<readonly BundleFile[]> {
  const script = await bundleScript({
    path: handlerFile,
    source: handlerSource,
    folders,
    conditions: ['workerd', 'worker', 'browser'],
  });
  const kernels = requirePackage('@tensorflow/tfjs-backend-wasm', [
    requirePackage('@modelwright/backend-wasm', folders),
    ...folders,
  ]);
  return [script.file, { path: engineFile, content: await readFile(join(kernels, 'dist', engineFile)) }];
}

interface Weighed {
  readonly code: readonly BundleFile[];
  readonly data: readonly BundleFile[];
  readonly platform: EdgePlatform;
  readonly report: (message: string) => void;
}

/** Whether the model becomes part of the worker; what it comes to is reported, and what is too much refused. */
function decideEmbedding(wish: 'embedded' | 'fetched' | undefined, { code, data, platform, report }: Weighed): boolean {
  const [alone, whole] = [sizesOf(code), sizesOf([...code, ...data])];
  const fits = ({ bytes, compressedBytes }: Sizes): boolean =>
    compressedBytes <= platform.mostCompressedBytes && bytes <= (platform.mostBytes ?? bytes);
  const limit = `${platform.label} takes ${formatSize(platform.mostCompressedBytes)} compressed`;
  const isEmbedded = wish === undefined ? fits(whole) : wish === 'embedded';
  const chosen = isEmbedded ? whole : alone;
  const how = isEmbedded ? 'with the model' : 'without the model, which it fetches';
  if (!fits(chosen))
    throw new ModelwrightError(
      'limit-exceeded',
      `the worker ${how} has ${formatSize(chosen.compressedBytes)} compressed; ${limit}`,
      {
        given: chosen.compressedBytes,
        allowed: platform.mostCompressedBytes,
        hint: isEmbedded ? '--weights fetched, a model that is quantized, or another --platform' : 'another --platform',
      },
    );
  const { bytes, compressedBytes } = chosen;
  report(`the worker ${how}: ${formatSize(bytes)}, ${formatSize(compressedBytes)} compressed; ${limit}`);
  return isEmbedded;
}

interface Sizes {
  readonly bytes: number;
  readonly compressedBytes: number;
}

function sizesOf(files: readonly BundleFile[]): Sizes {
  const contents = files.map(({ content }) => Buffer.from(content));
  return {
    bytes: contents.reduce((sum, { length }) => sum + length, 0),
    compressedBytes: contents.reduce((sum, content) => sum + gzipSync(content).length, 0),
  };
}

/** The file, the tensors read from it and their copies in WebAssembly are there at the same time. */
const copies = 3;
const codeMemoryBytes = 24 * 2 ** 20;

function checkMemory(
  data: readonly BundleFile[],
  { label, memoryBytes }: EdgePlatform,
  report: Weighed['report'],
): void {
  const bytes = data.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  const expected = codeMemoryBytes + copies * bytes;
  if (expected <= memoryBytes) return;
  report(`it may need ${formatSize(expected)} of memory while it starts; ${label} gives ${formatSize(memoryBytes)}`);
}
