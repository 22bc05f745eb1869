import { createReferenceBackend } from '@modelwright/core';
import { gpt } from '@modelwright/models';
import { characterTokenizer } from '@modelwright/text';
import { encode as encodePng } from 'fast-png';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeployOptions, deploy } from '../../deploy/deploy.js';
import type { Processing } from '../../processing/processing.js';
import { brighterHalf, catsOrShips } from '../small-models.cases.js';
import type { BundleFile } from '../target.js';
import { chromiumPath, type SiteServer, serveSite } from './site-server.cases.js';

const backend = createReferenceBackend();

async function siteOf(
  { model, processing }: ReturnType<typeof brighterHalf>,
  options: Partial<DeployOptions> = {},
): Promise<{ readonly files: readonly BundleFile[]; readonly reports: readonly string[] }> {
  const reports: string[] = [];
  const report = (message: string): number => reports.push(message);
  const { files } = await deploy(model, { target: 'web', backend, processing, report, ...options });
  return { files, reports };
}

const small = siteOf(brighterHalf());

/** A picture that is white on one side. */
function halfWhite(side: 'left' | 'right'): Buffer {
  const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, index) => {
    const isLeft = Math.floor(index / 3) % 16 < 8;
    return isLeft === (side === 'left') ? 255 : 0;
  });
  return Buffer.from(encodePng({ width: 16, height: 16, data, channels: 3 }));
}

it('refuses an engine that it does not know; its page has nothing inline, and says what a visitor downloads', async () => {
  const { model, processing } = brighterHalf();
  const options = { target: 'web', backend, processing };
  await expect(deploy(model, { ...options, options: { engine: 'steam' } })).rejects.toMatchObject({
    code: 'invalid-configuration',
  });
  // No kernel in 32 bits gives what was computed in 64 to the last bit.
  const golden = { tolerance: { absolute: 0, relative: 0 } };
  await expect(deploy(model, { ...options, golden })).rejects.toMatchObject({
    code: 'integrity-violation',
    details: { hint: '--set engine=onnxruntime' },
  });
  const { files, reports } = await small;
  const sizes = /downloads (\d+) kB, (\d+) kB compressed/.exec(reports.join('\n'));
  expect(Number(sizes?.[2])).toBeLessThan(600);
  const html = files.find(({ path }) => path === 'index.html')?.content as string;
  expect(html).not.toMatch(/unsafe-inline|'unsafe-eval'|<style|<script(?![^>]+src=)|style=/);
});

describe.skipIf(chromiumPath === undefined)('the site in Chromium (skipped where there is none)', () => {
  let browser: Browser;
  let site: SiteServer;

  beforeAll(async () => {
    [browser, site] = await Promise.all([
      chromium.launch({ executablePath: chromiumPath as string }),
      small.then(({ files }) => serveSite(files)),
    ]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function visit({ url }: SiteServer): Promise<{ readonly page: Page; readonly complaints: string[] }> {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(50_000);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(url);
    return { page, complaints };
  }

  const settled = async (page: Page): Promise<string> => {
    await page.waitForFunction(() => document.body.dataset['state'] !== 'loading');
    return page.evaluate(() => document.body.dataset['state'] ?? '');
  };

  const answers = (page: Page, label: string): Promise<unknown> =>
    page.waitForFunction((wanted) => document.querySelector('#answer-label')?.textContent === wanted, label);

  it('proves itself, reads what is drawn and uploaded, and goes on without a network', {
    timeout: 60_000,
  }, async () => {
    const { page, complaints } = await visit(site);
    expect(await settled(page), (await page.textContent('#status')) ?? '').toBe('ready');
    const golden = await page.evaluate(() => document.body.dataset['golden']?.split('/'));
    expect(golden?.[0]).toBe(golden?.[1]);
    expect(Number(golden?.[1])).toBeGreaterThanOrEqual(3);
    const sheet = await page.locator('#pad').boundingBox();
    await page.mouse.move((sheet?.x ?? 0) + 200, (sheet?.y ?? 0) + 40);
    await page.mouse.down();
    await page.mouse.move((sheet?.x ?? 0) + 220, (sheet?.y ?? 0) + 240, { steps: 3 });
    await page.mouse.up();
    await answers(page, 'right');
    await page.setInputFiles('#file', { name: 'half.png', mimeType: 'image/png', buffer: halfWhite('left') });
    await answers(page, 'left');
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    site.requests();
    await page.context().setOffline(true);
    await page.reload();
    expect(await settled(page)).toBe('ready');
    expect(await page.textContent('#status')).toContain('cache');
    await page.setInputFiles('#file', { name: 'half.png', mimeType: 'image/png', buffer: halfWhite('right') });
    await answers(page, 'right');
    expect(site.requests().filter((path) => path !== 'sw.js')).toEqual([]);
    expect(complaints.filter((text) => !/ERR_INTERNET_DISCONNECTED/.test(text))).toEqual([]);
    await page.context().close();
  });

  it('refuses a model with one flipped bit, and takes the right one when it is there again', {
    timeout: 60_000,
  }, async () => {
    const model = site.files.get('model.onnx') as Uint8Array;
    const flipped = model.slice();
    flipped[flipped.length - 100] = (model[model.length - 100] as number) ^ 1;
    site.files.set('model.onnx', flipped);
    const { page } = await visit(site);
    expect(await settled(page)).toBe('refused');
    expect(await page.textContent('#status')).toMatch(/model\.onnx.*SHA-256/);
    expect(await page.isHidden('#try')).toBe(true);
    site.files.set('model.onnx', model);
    await page.reload();
    expect(await settled(page)).toBe('ready');
    await page.context().close();
  });

  it('is replaced by a newer deployment', { timeout: 60_000 }, async () => {
    const { page } = await visit(site);
    expect(await settled(page)).toBe('ready');
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    const newer = await siteOf(brighterHalf(), { createdAt: new Date('2040-01-01T00:00:00Z'), version: '2' });
    for (const { path, content } of newer.files) site.files.set(path, new Uint8Array(Buffer.from(content)));
    await page.reload();
    await page.waitForFunction(() => document.body.dataset['update'] === 'there');
    await page.reload();
    expect(await settled(page)).toBe('ready');
    expect(await page.textContent('#facts')).toContain('brighter-half 2, licence UNLICENSED, 2040-01-01');
    expect((await page.evaluate(() => caches.keys())).filter((name) => name.includes('2040'))).toHaveLength(1);
    await page.context().close();
  });

  it('reads what is written', { timeout: 60_000 }, async () => {
    const { tokenizer, ...rest } = catsOrShips();
    const texts = await serveSite((await siteOf(rest, { tokenizers: { 'tokenizer.json': tokenizer } })).files);
    const { page, complaints } = await visit(texts);
    expect(await settled(page), (await page.textContent('#status')) ?? '').toBe('ready');
    await page.fill('textarea', 'the ship sails');
    await answers(page, 'ships');
    await page.fill('textarea', 'a cat');
    await answers(page, 'cats');
    expect(complaints).toEqual([]);
    await page.context().close();
    await texts.close();
  });

  it('goes on with a text', { timeout: 60_000 }, async () => {
    const tokenizer = characterTokenizer({ vocabulary: ['[PAD]', ...' abcdefgh'], padToken: '[PAD]' });
    const { vocabularySize } = tokenizer;
    const model = gpt({ name: 'writer', vocabularySize, sequenceLength: 24, layers: 1, heads: 2, width: 16, seed: 1 });
    const output = model.graph.outputs[0]?.name ?? '';
    const processing: Processing = { outputs: { [output]: { kind: 'generation', tokenizer: 'tokenizer.json' } } };
    const writes = await serveSite(
      (await siteOf({ model, processing }, { tokenizers: { 'tokenizer.json': tokenizer } })).files,
    );
    const { page, complaints } = await visit(writes);
    expect(await settled(page), (await page.textContent('#status')) ?? '').toBe('ready');
    await page.fill('#prompt', 'abc');
    await page.click('#go');
    await page.waitForFunction(() => (document.querySelector('#answer pre')?.textContent?.length ?? 0) > 20);
    await page.click('#stop');
    await page.waitForFunction(() => document.querySelector<HTMLElement>('#answer')?.dataset['answer'] === 'written');
    expect(await page.textContent('#answer pre')).toMatch(/^abc[ a-h]{17,}$/);
    expect(complaints).toEqual([]);
    await page.context().close();
    await writes.close();
  });

  it('computes with ONNX Runtime where that is asked, under the same policy', { timeout: 60_000 }, async () => {
    const large = await serveSite((await siteOf(brighterHalf(), { options: { engine: 'onnxruntime' } })).files);
    const { page, complaints } = await visit(large);
    expect(await settled(page), (await page.textContent('#status')) ?? '').toBe('ready');
    expect(await page.evaluate(() => document.body.dataset['backend'])).toBe('onnxruntime:wasm');
    await page.setInputFiles('#file', { name: 'half.png', mimeType: 'image/png', buffer: halfWhite('left') });
    await answers(page, 'left');
    expect(complaints).toEqual([]);
    await page.context().close();
    await large.close();
  });
});
