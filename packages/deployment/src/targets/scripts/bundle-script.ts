import { builtinModules } from 'node:module';
import { ModelwrightError } from '@modelwright/core';
import type { BuildFailure, Plugin } from 'esbuild';
import type { BundleFile } from '../target.js';

/** A script of a bundle: source that stands in the target, with the packages of the user's project in it. */
export interface ScriptRequest {
  /** Path of the result in the bundle: `app.js`. */
  readonly path: string;
  readonly source: string;
  /** Where packages that `source` names are looked up, in order. */
  readonly folders: readonly string[];
  /** Conditions of `exports` that hold where it runs, the first wins: `['workerd', 'worker', 'browser']`. */
  readonly conditions: readonly string[];
  /** Imports that stay: files beside the script. */
  readonly external?: readonly string[];
}

/** A bundled script and what of it came from where. */
export interface BundledScript {
  readonly file: BundleFile & { readonly content: Uint8Array };
  /** Bytes of the result by package, largest first. */
  readonly packages: readonly (readonly [name: string, sizeBytes: number])[];
}

/**
 * Makes one module of a script and all that it imports.
 *
 * @throws {@link ModelwrightError} `backend-unavailable` if a package is not installed.
 */
export function bundleScript(request: ScriptRequest): Promise<BundledScript> {
  // Packages stay as they are while a process runs: several deployments of one process share their scripts.
  const key = JSON.stringify(request);
  const known = made.get(key);
  if (known !== undefined) return known;
  const script = makeScript(request);
  made.set(key, script);
  script.catch(() => made.delete(key));
  return script;
}

const made = new Map<string, Promise<BundledScript>>();

async function makeScript(request: ScriptRequest): Promise<BundledScript> {
  const { path, source, folders, conditions, external = [] } = request;
  const [first] = folders;
  // Loaded when it is needed: every command of the command line knows the targets.
  const { build } = await import('esbuild');
  const result = await build({
    stdin: { contents: source, resolveDir: first ?? '.', sourcefile: path },
    ...{ bundle: true, minify: true, write: false, metafile: true, outfile: path, logLevel: 'silent' as const },
    ...{ format: 'esm' as const, platform: 'neutral' as const, target: 'es2022', legalComments: 'none' as const },
    conditions: [...conditions, 'module', 'import'],
    mainFields: ['browser', 'module', 'main'],
    external: [...external],
    // What asks for Node gets the answer that it is not there.
    define: { process: 'undefined', __filename: 'undefined' },
    plugins: [projectPackages(folders), withoutNode, withoutThreads],
  }).catch(explain);
  const [output] = result.outputFiles;
  const inputs = Object.values(result.metafile.outputs)[0]?.inputs ?? {};
  return { file: { path, content: output?.contents ?? new Uint8Array() }, packages: sizesByPackage(inputs) };
}

function explain(cause: BuildFailure): never {
  const [first] = cause.errors ?? [];
  const missing = /Could not resolve "([^"]+)"/.exec(first?.text ?? '')?.[1];
  const [code, why] = missing
    ? (['backend-unavailable', `${missing} is not installed`] as const)
    : (['invalid-model', first?.text ?? String(cause)] as const);
  throw new ModelwrightError(code, `the bundle's script cannot be made: ${why}`, {
    ...(missing ? { hint: `npm install ${missing}` } : {}),
    cause,
  });
}

/** What is not found from where it is imported is looked up in the given folders: first of all what the target's own source names. */
function projectPackages(folders: readonly string[]): Plugin {
  return {
    name: 'project-packages',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^@?[a-z]/ }, async ({ path, kind, pluginData, resolveDir, importer }) => {
        if (pluginData === asked) return undefined;
        for (const folder of [resolveDir, ...folders]) {
          const found = await resolve(path, { kind, importer, resolveDir: folder, pluginData: asked });
          if (found.errors.length === 0) return found;
        }
        return undefined;
      });
    },
  };
}

const asked = 'asked';

const withoutNode: Plugin = {
  name: 'without-node',
  setup({ onResolve, onLoad }) {
    const names = builtinModules.filter((name) => /^[a-z_]+$/.test(name)).join('|');
    onResolve({ filter: new RegExp(`^(${names})$`) }, ({ path }) => ({ path, namespace: 'without-node' }));
    onLoad({ filter: /./, namespace: 'without-node' }, () => ({ contents: '', loader: 'js' }));
  },
};

/**
 * The threads of tfjs start from the text of a function, which a strict policy for scripts forbids and minifiers break; one thread
 * needs none of it.
 */
const withoutThreads: Plugin = {
  name: 'without-threads',
  setup({ onLoad }) {
    onLoad({ filter: /tfjs-backend-wasm-threaded-simd(\.worker)?\.js$/ }, () => ({
      contents: "export const wasmWorkerContents = ''; export default undefined;",
      loader: 'js',
    }));
  },
};

function sizesByPackage(inputs: {
  readonly [path: string]: { readonly bytesInOutput: number };
}): BundledScript['packages'] {
  const sizes = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const name = packageOf(path);
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  return [...sizes].sort(([, one], [, other]) => other - one);
}

function packageOf(path: string): string {
  const inModules = path.split('node_modules/').at(-1) ?? '';
  if (path.includes('node_modules/')) return /^(@[^/]+\/)?[^/]+/.exec(inModules)?.[0] ?? path;
  const own = /packages\/([^/]+)\/dist\//.exec(path)?.[1];
  return own === undefined ? 'bundle' : `@modelwright/${own}`;
}
