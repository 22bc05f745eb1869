/** What a page downloads: measured on built bundles, and on what Chromium fetches from the built site. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backends } from '../src/backends.js';
import { chromiumPath, Site } from './chromium.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const minutes = 60_000;

interface Bundle {
  readonly code: string;
  /** Modules of which something is left, shortened to `training/trainer/trainer.js`. */
  readonly modules: readonly string[];
  /** Modules of Node that something on the way imports, used or not. */
  readonly node: readonly string[];
}

/** One page's code in one file, as a bundler leaves it. */
async function bundle(entry: string): Promise<Bundle> {
  const virtual = '\0entry.js';
  const node: string[] = [];
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => {
          if (id.startsWith('node:')) node.push(id);
          return id === 'entry' ? virtual : undefined;
        },
        load: (id) => (id === virtual ? entry : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      rollupOptions: { input: 'entry', preserveEntrySignatures: 'strict', output: { codeSplitting: false } },
    },
  });
  const { output } = (Array.isArray(result) ? result[0] : result) as { output: readonly OutputChunk[] };
  const [chunk] = output;
  const modules = Object.entries((chunk as OutputChunk).modules)
    .filter(([, { renderedLength }]) => renderedLength > 0)
    .map(([path]) => path.replaceAll('\\', '/').replace(/^.*\/packages\/([\w-]+)\/dist\//, '$1/'));
  return { code: (chunk as OutputChunk).code, modules, node };
}

interface OutputChunk {
  readonly code: string;
  readonly modules: { readonly [path: string]: { readonly renderedLength: number } };
}

const inference = `
import { createPredictor, createReferenceBackend } from '@modelwright/core';
import { readOnnx } from '@modelwright/onnx';
export const load = (bytes) => createPredictor(readOnnx(bytes), createReferenceBackend());
`;

describe('tree-shaking', () => {
  it('leaves no training in a page that only infers', { timeout: 2 * minutes }, async () => {
    const both = await bundle(`${inference}
export { createTrainer } from '@modelwright/training';
export { sequential, dense } from '@modelwright/models';`);
    const alone = await bundle(inference);
    const isTraining = (path: string): boolean => /^(training|models)\//.test(path);
    expect(both.modules.filter(isTraining)).toContain('training/trainer/trainer.js');
    expect(alone.modules.filter(isTraining)).toEqual([]);
    expect(alone.modules).not.toContain('onnx/write/write-onnx.js');
    expect(alone.code.length).toBeLessThan(0.8 * both.code.length);
  });

  it('takes from the training package only what is used', { timeout: 2 * minutes }, async () => {
    const { modules } = await bundle(`${inference}\nexport { fromArrays } from '@modelwright/training';`);
    expect(modules).toContain('training/data/from-arrays.js');
    expect(modules.filter((path) => /^training\/(trainer|losses|metrics|optimizers|callbacks)\//.test(path))).toEqual(
      [],
    );
  });

  it('never reaches a module of Node', { timeout: 2 * minutes }, async () => {
    const { node } = await bundle(`
export * as core from '@modelwright/core';
export * as models from '@modelwright/models';
export * as onnx from '@modelwright/onnx';
export * as training from '@modelwright/training';`);
    expect(node).toEqual([]);
    const control = await bundle(`export * as files from '@modelwright/training/node';`);
    expect(control.node).toContain('node:fs/promises');
  });
});

describe.skipIf(chromiumPath === undefined)('first load in Chromium (skipped where there is none)', () => {
  let site: Site;
  const table: { [backend: string]: { [what: string]: number } } = {};
  beforeAll(async () => {
    site = await Site.open();
  }, 2 * minutes);
  afterAll(async () => {
    await site?.close();
    console.log('First load of the inference path, kB:');
    console.table(table);
    mkdirSync(`${root}output`, { recursive: true });
    writeFileSync(`${root}output/first-load.json`, `${JSON.stringify(table, null, 2)}\n`);
  });

  for (const { id } of backends) {
    it(`${id}: is what inference takes, without training`, { timeout: 2 * minutes }, async () => {
      const { page, responses } = await site.visit(`?backend=${id}`);
      await page.waitForFunction(() => document.body.dataset['state'] === 'ready');
      const addresses = responses()
        .filter((response) => response.ok() && /^http/.test(response.url()) && !/\/digits\//.test(response.url()))
        .map((response) => response.url());
      // Fetched anew: the browser does not keep large bodies for inspection. What a worker loads again is in its cache.
      const loaded = await Promise.all(
        [...new Set(addresses)].map(async (address) => ({
          path: new URL(address).pathname,
          body: Buffer.from(await (await fetch(address)).arrayBuffer()),
        })),
      );
      const kilobytes = (kind: RegExp, pack: (body: Buffer) => Buffer = (body) => body): number =>
        Math.round(loaded.reduce((sum, { path, body }) => sum + (kind.test(path) ? pack(body).length : 0), 0) / 100) /
        10;
      table[id] = {
        script: kilobytes(/\.m?js$/),
        wasm: kilobytes(/\.wasm$/),
        model: kilobytes(/\.onnx$/),
        all: kilobytes(/./),
        gzipped: kilobytes(/./, (body) => gzipSync(body)),
      };
      expect(loaded.map(({ path }) => path).filter((path) => /train-digits|write-model/.test(path))).toEqual([]);
      expect(table[id]['script']).toBeGreaterThan(100);
      await page.close();
    });
  }
});
