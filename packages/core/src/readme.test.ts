import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as core from './index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the example runs, and learns the weights it says', async () => {
  const code = /```js\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  const [, names, body] = /^import \{(.*?)\} from '@modelwright\/core';([\s\S]*)$/.exec(code) as unknown as string[];
  const AsyncFunction = (async () => undefined).constructor as new (
    ...source: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const said: string[] = [];
  const run = new AsyncFunction('core', 'console', `const {${names}} = core;${body}`);
  await run(core, { log: (line: string) => said.push(line) });
  const weights = /weights (.*),(.*)$/
    .exec(said.at(-1) as string)
    ?.slice(1)
    .map(Number) as number[];
  expect(weights[0]).toBeCloseTo(3, 3);
  expect(weights[1]).toBeCloseTo(-2, 3);
});

test('what the README names is exported', () => {
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'));
  const names = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map((match) => match[1] as string),
  );
  const types = new Set(['Graph', 'Node', 'Value', 'Backend', 'Program', 'Executable']);
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !types.has(name) && !(name in core))).toEqual([]);
});
