import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as core from '@modelwright/core';
import * as onnx from '@modelwright/onnx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as server from '../index.js';
import * as serverInNode from '../node.js';
import { parseConfiguration } from '../repository/parse-configuration.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'readme-'));
const before = process.cwd();

beforeAll(() => process.chdir(folder));
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

test('the first example serves a model, and prints what it says', async () => {
  const code = /```js\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  const modules: Readonly<Record<string, object>> = {
    'node:fs/promises': fs,
    '@modelwright/core': core,
    '@modelwright/onnx': onnx,
    '@modelwright/server/node': serverInNode,
  };
  const body = code
    .replaceAll(/^import (\{.*?\}) from '(.*?)';$/gm, (_, names, from) => `const ${names} = modules['${from}'];`)
    // Another server may listen on this machine.
    .replace('port: 8000', 'port: 0');
  const AsyncFunction = (async () => undefined).constructor as new (
    ...source: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const said: unknown[] = [];
  await new AsyncFunction('modules', 'console', body)(modules, { log: (value: unknown) => said.push(value) });
  const promised = /console\.log\(.*\); \/\/ (\[.*\])/.exec(code)?.[1] as string;
  expect(said).toEqual([JSON.parse(promised)]);
});

test('configurations that it shows are ones', () => {
  const shown = [...readme.matchAll(/```json config\.json\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  expect(shown.length).toBeGreaterThan(1);
  for (const json of shown) expect(parseConfiguration(json, 'config.json')).toEqual(JSON.parse(json));
});

test('functions that it names in code are exported', () => {
  const named = new Set(
    [...readme.matchAll(/`(create\w+|serve\w*|\w+Routes)(?:\(|`)/g)].map((match) => match[1] as string),
  );
  expect(named.size).toBeGreaterThan(3);
  expect([...named].filter((name) => !(name in server) && !(name in serverInNode))).toEqual([]);
});
