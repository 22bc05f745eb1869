import { existsSync } from 'node:fs';
import { createBackend } from '@modelwright/backend-onnxruntime';
import type { Backend } from '@modelwright/core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceModels } from '../open-inference/service.cases.js';
import { languageModels } from '../openai/language-models.cases.js';
import { type RunningServer, serve } from '../serve/serve.js';
import { pageDocument } from './page-document.js';

const named = process.env['CHROMIUM_PATH'];
const chromiumPath = (
  named ? [named] : ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
).find((path) => existsSync(path));

describe('the page', () => {
  it('has nothing in line that a strict policy would refuse', () => {
    expect(pageDocument).not.toMatch(/ style=| on\w+=|<script>|<style>|javascript:|https?:/);
  });
});

describe.skipIf(chromiumPath === undefined)(
  'the page in Chromium (skipped where there is none)',
  { timeout: 30_000 },
  () => {
    let backend: Backend;
    let server: RunningServer;
    let browser: Browser;
    let page: Page;
    const problems: string[] = [];

    beforeAll(async () => {
      backend = await createBackend();
      const models = serviceModels();
      const { writer } = languageModels;
      if (writer !== undefined) models.set('writer', writer);
      server = await serve({ models, backend, port: 0 });
      browser = await chromium.launch({ executablePath: chromiumPath as string, args: ['--no-sandbox'] });
      page = await browser.newPage();
      page.setDefaultTimeout(10_000);
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      await page.goto(server.url);
      await page.waitForSelector('#question:not([hidden])');
    }, 30_000);

    afterAll(async () => {
      await browser.close();
      await server.close(0);
      await backend.dispose();
    });

    it('runs a model on numbers', async () => {
      await page.selectOption('#model', 'linear');
      await page.fill('#input-x', '[[1, 0], [0, 1]]');
      await page.click('button.run');
      const answer = page.locator('#answer pre');
      await answer.waitFor();
      expect(await answer.textContent()).toBe('[[1,2,3],[4,5,6]]');
      expect(await page.locator('#command pre').textContent()).toContain(`${server.url}/v2/models/linear/infer`);
    });

    it('runs a model on a drawing', async () => {
      await page.selectOption('#model', 'brightness');
      await page.waitForSelector('canvas');
      await page.click('button.run');
      expect(await page.locator('#answer td').first().textContent()).toBe('dark');
      const dark = Number(await page.locator('#answer td').nth(2).textContent());
      const box = await page.locator('canvas').boundingBox();
      for (let row = 0; row < 10; row++) {
        const y = (box?.y ?? 0) + row * 20;
        await page.mouse.move((box?.x ?? 0) + 2, y);
        await page.mouse.down();
        await page.mouse.move((box?.x ?? 0) + 278, y);
        await page.mouse.up();
      }
      await page.click('button.run');
      await page.locator('#answer tr:first-child td', { hasText: 'bright' }).waitFor();
      expect(dark).toBe(1);
    });

    it('streams what a model writes', async () => {
      await page.selectOption('#model', 'writer');
      await page.fill('#prompt', 'the quick');
      await page.fill('#most', '8');
      await page.fill('#temperature', '0');
      await page.click('button.run');
      await page.locator('#status', { hasText: /^Answered/ }).waitFor();
      const body = JSON.stringify({ model: 'writer', prompt: 'the quick', max_tokens: 8, temperature: 0 });
      const response = await fetch(`${server.url}/v1/completions`, { method: 'POST', body });
      const { choices } = (await response.json()) as { readonly choices: readonly { readonly text: string }[] };
      expect(await page.locator('#answer pre').textContent()).toBe(choices[0]?.text);
    });

    it('shows what the server refuses, and nothing breaks its policy', async () => {
      await page.selectOption('#model', 'linear');
      await page.waitForSelector('#input-x');
      await page.fill('#input-x', '[[1]]');
      expect(problems).toEqual([]);
      await page.click('button.run');
      await page.waitForSelector('#status.wrong');
      expect(await page.textContent('#status')).toContain("input 'x' has shape");
    });
  },
);
