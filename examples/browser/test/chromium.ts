import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page, type Response } from 'playwright-core';
import { build, preview } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const named = process.env['CHROMIUM_PATH'];

/** Path of a Chromium: `CHROMIUM_PATH`, else where one usually lies; undefined where there is none. */
export const chromiumPath: string | undefined = (named ? [named] : usualPlaces).find((path) => existsSync(path));

if (chromiumPath === undefined) {
  const why = named ? `CHROMIUM_PATH is '${named}', where there is no file` : 'there is none where one usually lies';
  console.log(
    `No Chromium (${why}): the browser tests are skipped. Install it (apt-get install chromium) or set CHROMIUM_PATH to run them.`,
  );
}

// WebGPU without a GPU: SwiftShader's Vulkan driver comes with Chromium.
const webgpuOnSwiftShader = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

/** Builds the example into a folder of its own. */
export async function buildSite(): Promise<{ readonly folder: string; readonly remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'modelwright-site-'));
  await build({ root, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A page of the site and what has happened in it. */
export interface Visit {
  readonly page: Page;
  readonly errors: readonly string[];
  readonly responses: () => readonly Response[];
}

/** The built example on a server of its own, and a browser to look at it. */
export class Site {
  readonly #url: string;
  readonly #browser: Browser;
  readonly #close: () => Promise<void>;

  private constructor(url: string, browser: Browser, close: () => Promise<void>) {
    this.#url = url;
    this.#browser = browser;
    this.#close = close;
  }

  static async open(): Promise<Site> {
    const { folder, remove } = await buildSite();
    const server = await preview({
      root,
      logLevel: 'error',
      build: { outDir: folder },
      preview: { host: '127.0.0.1', port: 0 },
    });
    const browser = await chromium.launch({ executablePath: chromiumPath as string, args: webgpuOnSwiftShader });
    return new Site(server.resolvedUrls?.local[0] as string, browser, async () => {
      await browser.close();
      await server.close();
      remove();
    });
  }

  /** A fresh page, with the uncaught errors and the answers of the server so far. */
  async visit(path: string): Promise<Visit> {
    const page = await this.#browser.newPage({ viewport: { width: 1100, height: 1200 } });
    page.setDefaultTimeout(60_000);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    const responses: Response[] = [];
    page.on('response', (response) => responses.push(response));
    await page.goto(this.#url + path);
    return { page, errors, responses: () => [...responses] };
  }

  close(): Promise<void> {
    return this.#close();
  }
}
