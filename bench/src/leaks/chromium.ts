import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { build, type PreviewServer, preview } from 'vite';
import type { Measured, Sample } from './verdict.js';
import type { WorkloadKind } from './workload.js';

const root = fileURLToPath(new URL('../../page', import.meta.url));
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const named = process.env['CHROMIUM_PATH'];

/** Path of a Chromium: `CHROMIUM_PATH`, else where one usually lies. */
export const chromiumPath: string | undefined = (named ? [named] : places).find((path) => existsSync(path));

// WebGPU without a GPU: SwiftShader's Vulkan driver comes with Chromium.
const webgpuOnSwiftShader = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

/** The backends that the page offers. */
export const chromiumBackends: readonly string[] = ['reference', 'wasm', 'onnxruntime:wasm', 'onnxruntime:webgpu'];

/** The functions of the page. */
export interface LeakPage {
  /** @returns why the backend cannot run in this browser, if so. */
  open(backend: string, kind: WorkloadKind): Promise<string | undefined>;
  repeat(count: number): Promise<void>;
  tensors(): number | undefined;
  close(): Promise<void>;
}

interface PageGlobals {
  readonly leaks: LeakPage;
}

/** A browser that shows the page, built, from a server of its own. */
export class LeakSite {
  readonly #browser: Browser;
  readonly #server: PreviewServer;
  readonly #folder: string;

  private constructor(browser: Browser, server: PreviewServer, folder: string) {
    this.#browser = browser;
    this.#server = server;
    this.#folder = folder;
  }

  static async open(executablePath: string): Promise<LeakSite> {
    const folder = mkdtempSync(join(tmpdir(), 'modelwright-leaks-'));
    await build({
      root,
      base: './',
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true, target: 'es2022' },
    });
    const server = await preview({
      root,
      logLevel: 'error',
      build: { outDir: folder },
      preview: { host: '127.0.0.1', port: 0 },
    });
    return new LeakSite(await chromium.launch({ executablePath, args: webgpuOnSwiftShader }), server, folder);
  }

  /** Runs a backend in windows in a fresh page. */
  async measure(
    backend: string,
    kind: WorkloadKind,
    { runs, windows }: { readonly runs: number; readonly windows: number },
  ): Promise<Measured> {
    const page = await this.#browser.newPage();
    page.setDefaultTimeout(0);
    try {
      await page.goto(this.#server.resolvedUrls?.local[0] as string);
      await page.waitForFunction(() => 'leaks' in globalThis);
      const missing = await page.evaluate(([id, what]) => (globalThis as unknown as PageGlobals).leaks.open(id, what), [
        backend,
        kind,
      ] as const);
      if (missing !== undefined) return { missing };
      const session = await page.context().newCDPSession(page);
      await repeat(page, Math.ceil(runs / 3));
      const samples = [await this.#sample(page, session)];
      for (let window = 0; window < windows; window++) {
        await repeat(page, Math.ceil(runs / windows));
        samples.push(await this.#sample(page, session));
      }
      await page.evaluate(() => (globalThis as unknown as PageGlobals).leaks.close());
      return { samples };
    } finally {
      await page.close();
    }
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #sample(page: Page, session: CDPSession): Promise<Sample> {
    await session.send('HeapProfiler.collectGarbage');
    const heap = (await session.send('Runtime.getHeapUsage')) as {
      readonly usedSize: number;
      readonly backingStorageSize?: number;
    };
    return {
      residentBytes: await this.#residentBytes(),
      heapBytes: heap.usedSize + (heap.backingStorageSize ?? 0),
      tensors: await page.evaluate(() => (globalThis as unknown as PageGlobals).leaks.tensors()),
    };
  }

  /** Memory of the page's process and of the one that computes for the GPU; undefined where there is no `/proc`. */
  async #residentBytes(): Promise<number | undefined> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    try {
      return processInfo
        .filter(({ type }) => type === 'renderer' || type === 'GPU')
        .reduce((sum, { id }) => sum + residentBytesOf(id), 0);
    } catch {
      return undefined;
    }
  }
}

function repeat(page: Page, count: number): Promise<void> {
  return page.evaluate((times) => (globalThis as unknown as PageGlobals).leaks.repeat(times), count);
}

function residentBytesOf(processId: number): number {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8');
  const kilobytesOf = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  return 1024 * (kilobytesOf('RssAnon') + kilobytesOf('RssShmem'));
}
