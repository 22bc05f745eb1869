import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backends } from '../src/backends.js';
import { chromiumPath, Site } from './chromium.js';

type Stroke = readonly (readonly [number, number])[];

// In hundredths of the sheet.
const strokes: { readonly [digit: string]: readonly Stroke[] } = {
  0: [circle(50, 50, 20, 30)],
  1: [
    [
      [50, 18],
      [50, 82],
    ],
  ],
  7: [
    [
      [28, 22],
      [72, 22],
      [44, 84],
    ],
  ],
};

function circle(x: number, y: number, horizontal: number, vertical: number): Stroke {
  return Array.from({ length: 25 }, (_, index) => {
    const angle = (index / 24) * 2 * Math.PI;
    return [x + horizontal * Math.sin(angle), y - vertical * Math.cos(angle)] as const;
  });
}

async function settled(page: Page): Promise<string> {
  await page.waitForFunction(() => ['ready', 'error'].includes(document.body.dataset['state'] ?? ''));
  return page.evaluate(() => document.body.dataset['state'] ?? '');
}

async function draw(page: Page, digit: string): Promise<void> {
  await page.click('#clear');
  const sheet = await page.locator('#pad').boundingBox();
  if (sheet === null) throw new Error('the sheet is not on the page');
  for (const stroke of strokes[digit] as readonly Stroke[]) {
    for (const [index, [x, y]] of stroke.entries()) {
      await page.mouse.move(sheet.x + (x / 100) * sheet.width, sheet.y + (y / 100) * sheet.height, { steps: 4 });
      if (index === 0) await page.mouse.down();
    }
    await page.mouse.up();
  }
}

async function answers(page: Page, digit: string): Promise<void> {
  await page.waitForFunction((wanted) => document.querySelector('#answer')?.textContent === wanted, digit);
}

describe.skipIf(chromiumPath === undefined)('the page in Chromium (skipped where there is none)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.open();
  }, 120_000);
  afterAll(() => site?.close());

  for (const { id } of backends) {
    it(`reads what is drawn: ${id}`, { timeout: 120_000 }, async () => {
      const { page, errors } = await site.visit(`?backend=${id}`);
      expect(await settled(page), (await page.textContent('#status')) ?? '').toBe('ready');
      expect(await page.evaluate(() => document.body.dataset['backend'])).toBe(id);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      for (const digit of Object.keys(strokes)) {
        await draw(page, digit);
        await answers(page, digit);
      }
      await page.click('#clear');
      await answers(page, '–');
      expect(errors).toEqual([]);
      await page.close();
    });

    it(`trains in the page, and predicts with what it trained: ${id}`, { timeout: 240_000 }, async () => {
      const { page, errors } = await site.visit(`?backend=${id}`);
      await settled(page);
      await page.waitForSelector('#samples button');
      await page.selectOption('[name=count]', '500');
      await page.selectOption('[name=epochs]', '2');
      await page.click('#train');
      await page.waitForFunction(() => document.body.dataset['training'] === 'done', null, { timeout: 180_000 });
      const last = Number(await page.textContent('#loss'));
      expect(await page.textContent('#step')).toBe('30');
      // Whoever knows nothing of ten digits has a loss of ln 10.
      expect(last).toBeLessThan(0.7 * Math.log(10));
      expect(Number.parseFloat((await page.textContent('#accuracy')) ?? '')).toBeGreaterThan(60);
      expect((await page.getAttribute('#chart .smooth', 'd'))?.split('L')).toHaveLength(30);
      await page.locator('#samples button').first().click();
      await answers(page, '0');
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
      expect(download.suggestedFilename()).toBe('perceptron.onnx');
      expect(errors).toEqual([]);
      await page.close();
    });
  }

  it('switches backends from the menu and keeps the drawing', { timeout: 120_000 }, async () => {
    const { page, errors } = await site.visit('');
    await settled(page);
    await draw(page, '7');
    for (const { id } of backends) {
      await page.selectOption('#backend', id);
      await page.waitForFunction(
        (wanted) => document.body.dataset['state'] === 'ready' && document.body.dataset['backend'] === wanted,
        id,
      );
      await answers(page, '7');
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  it('computes with several threads where there are cores', { timeout: 120_000 }, async () => {
    const { page, errors } = await site.visit('compare.html');
    const session = await page.context().newCDPSession(page);
    await session.send('Emulation.setHardwareConcurrencyOverride', { hardwareConcurrency: 8 });
    await page.goto(new URL('./?backend=wasm', page.url()).href);
    expect(await settled(page)).toBe('ready');
    expect(await page.textContent('#status')).toContain('4 threads');
    await draw(page, '7');
    await answers(page, '7');
    expect(errors).toEqual([]);
    await page.close();
  });

  it('stops a training on request', { timeout: 120_000 }, async () => {
    const { page } = await site.visit('');
    await settled(page);
    await page.selectOption('[name=count]', '2000');
    await page.selectOption('[name=epochs]', '10');
    await page.click('#train');
    await page.waitForFunction(() => Number(document.querySelector('#step')?.textContent) >= 2);
    await page.click('#train');
    await page.waitForFunction(() => document.body.dataset['training'] === 'done');
    expect(Number(await page.textContent('#step'))).toBeLessThan(620);
    await page.close();
  });
});
