/** Visits the two sites with Chromium: each proves its model, and is asked about a sample. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { checkAnswers } from '@modelwright/example-deploy-models';
import { chromium } from 'playwright-core';

const places = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = places.find((place) => place !== undefined && existsSync(place));
if (executablePath === undefined) {
  console.log('No Chromium here: the sites are made, but not visited. Install it, or set CHROMIUM_PATH.');
  process.exit(0);
}

const types: { readonly [ending: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

// Any web server will do; this is the smallest.
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://site');
  const path = normalize(pathname).replace(/\/$/, '/index.html');
  const content = await readFile(join('output', path)).catch(() => undefined);
  response.writeHead(content === undefined ? 404 : 200, {
    'content-type': types[extname(path)] ?? 'application/octet-stream',
  });
  response.end(content);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
const browser = await chromium.launch({ executablePath });
const page = await browser.newPage({ viewport: { width: 900, height: 800 } });

await checkAnswers(async ({ name, type }, sample) => {
  await page.goto(`http://127.0.0.1:${port}/${name}/`);
  await page.waitForFunction(() => document.body.dataset['state'] !== 'loading');
  console.log(`${name}: ${await page.textContent('#status')} ${await page.textContent('#proof')}`);
  if (type === 'text/plain') await page.fill('textarea', sample.toString());
  else await page.setInputFiles('#file', { name: 'sample.png', mimeType: type, buffer: sample });
  const best = page.locator('#answer-label');
  await best.waitFor();
  const score = await page.locator('.labels meter').first().getAttribute('value');
  await page.screenshot({ path: `output/${name}.png` });
  return { label: (await best.textContent()) ?? '', score: Number(score) };
});

await browser.close();
server.closeAllConnections();
server.close();
