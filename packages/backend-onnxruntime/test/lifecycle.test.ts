import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fullTensor, GraphBuilder, type Program, statelessProgram } from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import { createBackend } from '../src/index.js';
import { random } from './training-program.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

/** `y = x · w · w · … · w` */
function products(side: number, count: number): Program {
  const builder = new GraphBuilder('products');
  const weight = builder.constant(random([side, side], 1, 1 / side));
  let value = builder.input('x', 'float32', [side, side]);
  for (let step = 0; step < count; step++) value = builder.op('MatMul', [value, weight]);
  builder.output('y', value);
  return statelessProgram(builder.build());
}

// These run the built package, as a user's process would.
describe.each(['native', 'binding'])('a process on the %s engine', (engine) => {
  it.each([
    ['finish', 0, 'finished'],
    ['leave-running', 0, 'finished'],
    ['dispose-running', 0, 'finished'],
    ['exit-running', 7, ''],
    ['throw-running', 1, ''],
  ])('ends cleanly: %s', (way, status, output) => {
    const script = join(here, 'exit-scenario.mjs');
    const result = spawnSync(process.execPath, [script, way, engine], { encoding: 'utf8', timeout: 60_000 });
    expect({ signal: result.signal, status: result.status, output: result.stdout.trim() }).toEqual({
      signal: null,
      status,
      output,
    });
    expect(result.stderr).not.toMatch(/terminate called|FATAL|Segmentation/);
  });
});

describe('without onnxruntime-node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'modelwright-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('says what to install', () => {
    const scope = join(folder, 'node_modules/@modelwright');
    mkdirSync(join(scope, 'backend-onnxruntime'), { recursive: true });
    cpSync(join(root, 'dist'), join(scope, 'backend-onnxruntime/dist'), { recursive: true });
    cpSync(join(root, 'package.json'), join(scope, 'backend-onnxruntime/package.json'));
    cpSync(join(here, 'open-scenario.mjs'), join(folder, 'open-scenario.mjs'));
    for (const name of ['core', 'onnx'])
      symlinkSync(realpathSync(join(root, 'node_modules/@modelwright', name)), join(scope, name));
    symlinkSync(realpathSync(join(root, 'node_modules/koffi')), join(folder, 'node_modules/koffi'));
    const { NODE_PATH: _, ...env } = process.env;
    const result = spawnSync(process.execPath, ['open-scenario.mjs'], { cwd: folder, env, encoding: 'utf8' });
    const lines = result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ engine, code, hint }) => ({ engine, code, hint }))).toEqual(
      ['auto', 'native', 'binding'].map((engine) => ({
        engine,
        code: 'backend-unavailable',
        hint: 'npm install onnxruntime-node (or pnpm add onnxruntime-node, or yarn add onnxruntime-node)',
      })),
    );
  });
});

describe('the event loop', () => {
  it('keeps ticking while a long program runs on the native engine', async () => {
    const backend = await createBackend({ engine: 'native', threads: 1 });
    const executable = await backend.compile(products(1024, 6));
    const inputs = { x: random([1024, 1024], 2) };
    await executable.run(inputs);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    await executable.run(inputs);
    const ticksMeanwhile = ticks;
    clearInterval(timer);
    await backend.dispose();
    // A run that blocked would let the timer fire once at most, however long it took.
    expect(ticksMeanwhile).toBeGreaterThan(2);
  });
});

describe('an abort signal', () => {
  it('ends a run of the native engine early and leaves the executable usable', async () => {
    const backend = await createBackend({ engine: 'native', threads: 1 });
    const executable = await backend.compile(products(512, 60));
    const inputs = { x: random([512, 512], 2) };
    const { y } = await executable.run(inputs);
    const controller = new AbortController();
    const run = executable.run(inputs, { signal: controller.signal });
    setTimeout(() => controller.abort(), 2);
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(await executable.run(inputs)).toEqual({ y });
    await backend.dispose();
  });
});

describe.each(['native', 'binding'] as const)('memory on the %s engine', (engine) => {
  it('is freed with the executable', async () => {
    const backend = await createBackend({ engine });
    const weightBytes = 4 * 1024 * 1024;
    const cycle = async (): Promise<void> => {
      const builder = new GraphBuilder('weights');
      const x = builder.input('x', 'float32', [1, 1024]);
      builder.output('y', builder.op('MatMul', [x, builder.constant(fullTensor('float32', [1024, 1024], 0.5))]));
      const executable = await backend.compile(statelessProgram(builder.build()));
      await executable.run({ x: random([1, 1024], 1) });
      await executable.dispose();
    };
    for (let count = 0; count < 15; count++) await cycle();
    const before = process.memoryUsage().rss;
    const cycles = 60;
    for (let count = 0; count < cycles; count++) await cycle();
    await backend.dispose();
    expect(process.memoryUsage().rss - before).toBeLessThan((cycles * weightBytes) / 2);
  });
});
