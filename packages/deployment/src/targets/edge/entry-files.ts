import { filesToRun } from '../../bundle/load-bundle.js';
import { manifestFile } from '../../bundle/manifest.js';
import type { ManifestDraft } from '../target.js';

/** How the two entries find what they serve. */
export interface EntryPlan {
  readonly manifest: ManifestDraft;
  readonly isEmbedded: boolean;
  readonly isPublic: boolean;
}

/** The binary that computes, beside the entries. */
export const engineFile = 'tfjs-backend-wasm-simd.wasm';

/** The module with everything that is code: server, backend, loader. */
export const handlerFile = 'handler.js';

/** What the handler is made of. */
export const handlerSource = `export { memorySource, urlSource } from '@modelwright/deployment';
export { createWorker } from '@modelwright/server';
export { createBackend } from '@modelwright/backend-wasm';`;

/** Entry for workerd and Cloudflare Workers: the platform compiles and hands over what is imported. */
export function workerdEntry({ manifest, isEmbedded, isPublic }: EntryPlan): string {
  const files = runFiles(manifest);
  const imports = files.map((path, index) => `import file${index} from './${path}';`);
  const entries = files.map((path, index) => `  '${path}': new Uint8Array(file${index}),`);
  const source = isEmbedded
    ? ['const files = {', ...entries, '};', 'const source = () => memorySource(files);']
    : [
        '// The files of the bundle: the static assets of this worker, or any web server that MODELWRIGHT_BUNDLE_URL names.',
        'const source = ({ MODELWRIGHT_BUNDLE_URL, ASSETS }) =>',
        '  MODELWRIGHT_BUNDLE_URL',
        '    ? urlSource(MODELWRIGHT_BUNDLE_URL)',
        "    : urlSource('https://assets/', { fetch: (url) => ASSETS.fetch(url) });",
      ];
  return `${[
    `import { createBackend, createWorker, ${isEmbedded ? 'memorySource' : 'urlSource'} } from './${handlerFile}';`,
    `import wasmModule from './${engineFile}';`,
    ...(isEmbedded ? imports : []),
    '',
    ...source,
    '',
    `export default createWorker({ createBackend: () => createBackend({ wasmModule }), source, isPublic: ${isPublic} });`,
  ].join('\n')}\n`;
}

/** Entry for Deno and Bun, which serve a module that exports `fetch`, and read files beside it. */
export function serverEntry({ isPublic }: EntryPlan): string {
  return `import { readFile } from 'node:fs/promises';
import { createBackend, createWorker } from './${handlerFile}';

const read = async (path) => new Uint8Array(await readFile(new URL(path, import.meta.url)));

const worker = createWorker({
  createBackend: async () => createBackend({ wasmModule: await WebAssembly.compile(await read('./${engineFile}')) }),
  source: () => ({ name: 'the bundle', read: (path) => read('./' + path) }),
  isPublic: ${isPublic},
});

const variable = (name) => globalThis.Deno?.env.get(name) ?? globalThis.process?.env[name];

export default { fetch: (request) => worker.fetch(request, { MODELWRIGHT_KEYS: variable('MODELWRIGHT_KEYS') }) };
`;
}

/** Files that serving takes. */
export function runFiles(manifest: ManifestDraft): readonly string[] {
  return [manifestFile, ...filesToRun({ ...manifest, files: [] })];
}

/** Configuration of Wrangler, which puts the worker onto Cloudflare: nothing is bundled again. */
export function wranglerConfiguration({ manifest, isEmbedded }: EntryPlan): string {
  const configuration = {
    $schema: 'https://unpkg.com/wrangler/config-schema.json',
    name: manifest.name.toLowerCase().replace(/[^a-z0-9-]+/g, '-'),
    main: 'worker.js',
    compatibility_date: '2025-07-01',
    no_bundle: true,
    find_additional_modules: true,
    rules: moduleRules(manifest, isEmbedded).map(({ type, include }) => ({ type, globs: include, fallthrough: true })),
    ...(isEmbedded ? {} : { assets: { directory: '.', binding: 'ASSETS', run_worker_first: true } }),
    observability: { enabled: true },
  };
  return `${JSON.stringify(configuration, null, 2)}\n`;
}

/** Which imports of the workerd entry are what. */
export function moduleRules(
  manifest: ManifestDraft,
  isEmbedded: boolean,
): readonly { readonly type: 'ESModule' | 'CompiledWasm' | 'Data'; readonly include: readonly string[] }[] {
  return [
    { type: 'ESModule', include: [handlerFile] },
    { type: 'CompiledWasm', include: [engineFile] },
    ...(isEmbedded ? [{ type: 'Data' as const, include: runFiles(manifest) }] : []),
  ];
}
