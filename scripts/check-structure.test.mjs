import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkTree } from './structure/check-tree.mjs';

let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'structure-'));
  writeGoodTree();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a good tree has no problems', () => {
  expect(checkTree(root)).toEqual({ problems: [], warnings: [] });
});

describe('complains about', () => {
  const core = 'packages/core/src/extra.ts';
  const models = 'packages/models/src/extra.ts';
  test.each([
    ['an import that the table forbids', models, "import { a } from '@modelwright/training';", 'may not import'],
    ['a type import that it forbids', models, "import type { A } from '@modelwright/training';", 'may not import'],
    ['an inline type import', models, "export type A = import('@modelwright/training').A;", 'may not import'],
    ['a re-export', models, "export * from '@modelwright/training';", 'may not import'],
    ['a dynamic import', models, "/** A. */ export const a = import('@modelwright/training');", 'may not import'],
    ['an unlisted package', models, "import 'left-pad';", "imports 'left-pad', which package.json does not list"],
    ['a bare builtin', models, "import 'fs';", 'without the node: prefix'],
    ['a builtin in core', core, "import 'node:fs';", "core imports 'node:fs'"],
    ['a platform global in core', core, '/** A. */ export const a = process.argv;', "platform global 'process'"],
    ['a platform global in an array', core, '/** A. */ export const a = [process];', "platform global 'process'"],
    ['a timer in core', core, 'setTimeout(() => {}, 1);', "platform global 'setTimeout'"],
    ['a plain error', models, "throw new Error('no');", 'makes a plain Error'],
    ['a plain error without new', models, "throw TypeError('no');", 'makes a plain TypeError'],
    ['an enum', models, 'enum A { B }', 'declares an enum'],
    ['a namespace', models, 'namespace A { const b = 1; }', 'declares a namespace'],
    ['a default export', models, 'export default 1;', 'has a default export'],
    ['an export without a doc comment', models, 'export function f() {}', 'f has no doc comment'],
    ['a constant without one', models, 'export const f = 1;', 'f has no doc comment'],
    ['a missing extension', models, "import './index';", 'does not end in .js'],
    ['a syntax error', models, 'const = 1;', 'does not parse'],
    ['a machine path', 'docs/a.md', `see ${['', 'home', 'someone', 'x'].join('/')}`, 'path of one machine'],
    ['a dead link', 'docs/a.md', 'see [that](./gone.md)', 'does not exist'],
  ])('%s', (_name, file, text, expected) => {
    write(file, text);
    expect(checkTree(root).problems).toEqual([expect.stringContaining(`${file}:1: `)]);
    expect(checkTree(root).problems[0]).toContain(expected);
  });

  test('a file that CONTRIBUTING.md names and nobody has', () => {
    write('CONTRIBUTING.md', '| an op | `packages/core/src/<family>.ts`, `packages/gone/src/a.ts` |');
    expect(checkTree(root).problems).toEqual(['CONTRIBUTING.md:1: names packages/gone/src/a.ts, which does not exist']);
  });

  test('a file that was left behind', () => {
    write('packages/core/scratch-try.mjs', '');
    expect(checkTree(root).problems).toEqual(['packages/core/scratch-try.mjs: looks like something left behind']);
  });

  test('a package that is not in the table', () => {
    cpSync(join(root, 'packages/models'), join(root, 'packages/stray'), { recursive: true });
    write('packages/stray/package.json', JSON.stringify(manifest('@modelwright/stray')));
    expect(checkTree(root).problems).toEqual([expect.stringContaining('@modelwright/stray is not in the table')]);
  });

  test.each([
    ['a forbidden dependency', { dependencies: { '@modelwright/training': 'workspace:^' } }, 'which the table forbids'],
    ['an unused dependency', { dependencies: { 'left-pad': '1.0.0' } }, 'which no source imports'],
    ['a fixed internal version', { dependencies: { '@modelwright/core': '1.0.0' } }, "not 'workspace:^'"],
    ['side effects', { sideEffects: true }, "'sideEffects' is not false"],
    ['a required peer', { peerDependencies: { a: '1' } }, 'peer a is not optional'],
    ['exports that differ when published', { publishConfig: {} }, "'publishConfig.exports' is not"],
    ['an install script', { scripts: { postinstall: 'x' } }, 'at install time'],
  ])('%s', (_name, change, expected) => {
    write('packages/models/package.json', JSON.stringify({ ...manifest('@modelwright/models'), ...change }));
    expect(checkTree(root).problems.join('\n')).toContain(expected);
  });
});

test.each([
  ['tests may throw plain errors', 'packages/models/src/a.test.ts', "throw new Error('x');"],
  [
    'a local variable may share a global name',
    'packages/core/src/a.ts',
    '/** F. */ export const f = (process: string) => process;',
  ],
  ['so may a destructured one', 'packages/core/src/a.ts', '/** F. */ export const f = ({ window }) => window;'],
  ['so may one with a default', 'packages/core/src/a.ts', '/** F. */ export const f = ([self = 1]) => self;'],
  [
    'a property may share a global name',
    'packages/core/src/a.ts',
    '/** F. */ export const f = (a: { process: 1 }) => a.process;',
  ],
])('allows: %s', (_name, file, text) => {
  write(file, text);
  expect(checkTree(root).problems).toEqual([]);
});

test('long files and functions are warnings', () => {
  write('packages/models/src/long.ts', `/** L. */ export function long() {\n${'  f();\n'.repeat(450)}}\n`);
  const { problems, warnings } = checkTree(root);
  expect(problems).toEqual([]);
  expect(warnings).toEqual([
    'packages/models/src/long.ts: 453 lines',
    'packages/models/src/long.ts:1: function long has 452 lines',
  ]);
});

function writeGoodTree() {
  const rows = ['| `@modelwright/core` | a | – |', '| `@modelwright/models` | b | core |'];
  write('ARCHITECTURE.md', [...rows, '| `@modelwright/training` | c | core |'].join('\n'));
  write('CONTRIBUTING.md', '| an op | `packages/core/src/<family>.ts` |');
  write('README.md', '[plan](ARCHITECTURE.md)');
  for (const name of ['core', 'models', 'training']) {
    const references = name === 'core' ? [] : [{ path: '../core' }];
    write(`packages/${name}/package.json`, JSON.stringify(manifest(`@modelwright/${name}`)));
    write(`packages/${name}/tsconfig.json`, JSON.stringify({ references }));
    write(`packages/${name}/src/index.ts`, name === 'core' ? 'export {};' : "import '@modelwright/core';");
  }
}

function manifest(name) {
  return {
    name,
    type: 'module',
    sideEffects: false,
    files: ['dist'],
    exports: { '.': { '@modelwright/source': 's', types: 't', default: 'd' }, './package.json': './package.json' },
    publishConfig: { exports: { '.': { types: 't', default: 'd' }, './package.json': './package.json' } },
    ...(name === '@modelwright/core' ? {} : { dependencies: { '@modelwright/core': 'workspace:^' } }),
  };
}

function write(path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
