import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createReferenceBackend, fromNumbers, GraphBuilder, Model, Tensor } from '@modelwright/core';
import { type Processing, processingKey } from '@modelwright/deployment';
import { writeOnnx } from '@modelwright/onnx';
import { encode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryRepository } from '../repository/memory-repository.js';
import { type RunningServer, serve } from '../serve/serve.js';

const run = promisify(execFile);
const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const section = readme.split('\n## ').find((part) => part.startsWith('Asking models')) ?? '';
const examples = [...section.matchAll(/^\$ (curl .*)\n(.*)$/gm)].map(([, command = '', output = '']) => [
  command,
  output,
]);
const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
);

function labelled(name: string, processing: Processing, build: (builder: GraphBuilder) => void): Uint8Array {
  const builder = new GraphBuilder(name);
  build(builder);
  const metadata = { [processingKey]: JSON.stringify(processing) };
  return writeOnnx(new Model({ name, graph: builder.build(), parameters: [], metadata })).bytes;
}

/** Logistic regression on Fisher's irises. */
const iris = labelled(
  'iris',
  { outputs: { species: { kind: 'labels', labels: ['setosa', 'versicolor', 'virginica'] } } },
  (builder) => {
    const coefficients = [-0.42, 0.53, -0.11, 0.97, -0.32, -0.65, -2.52, -0.21, 2.72, -1.08, -0.94, 2.02];
    const flower = builder.input('flower', 'float32', ['batch', 4]);
    const weights = builder.constant(fromNumbers('float32', [4, 3], coefficients), { name: 'weights' });
    const bias = builder.constant(fromNumbers('float32', [3], [9.85, 2.24, -12.09]), { name: 'bias' });
    builder.output('species', builder.op('Softmax', [builder.op('Gemm', [flower, weights, bias])], { axis: 1 }));
  },
);

/** Strokes of a three and a seven. */
const three = ['###', '..#', '.##', '..#', '###'];
const seven = ['###', '..#', '..#', '..#', '..#'];
const pixels = (rows: readonly string[]): number[] =>
  rows.flatMap((row) => [...row].map((dot) => (dot === '#' ? 255 : 0)));

/** Which of the two a picture of 3 × 5 is more like. */
const digits = labelled(
  'digits',
  {
    inputs: { picture: { kind: 'image', width: 3, height: 5, channels: 1, layout: 'channelsLast' } },
    outputs: { digit: { kind: 'labels', labels: ['3', '7'], activation: 'softmax' } },
  },
  (builder) => {
    const picture = builder.input('picture', 'float32', ['batch', 5, 3, 1]);
    const columns = builder.constant(new Tensor('int64', [2], BigInt64Array.of(-1n, 15n)), { name: 'columns' });
    const [threes, sevens] = [pixels(three), pixels(seven)];
    const share = (dots: readonly number[], at: number): number => (dots[at] ? 10 / dots.filter(Boolean).length : -1);
    const likeness = threes.flatMap((_, at) => [share(threes, at), share(sevens, at)]);
    const templates = builder.constant(fromNumbers('float32', [15, 2], likeness), { name: 'templates' });
    builder.output('digit', builder.op('MatMul', [builder.op('Reshape', [picture, columns]), templates]));
  },
);

describe.skipIf(!hasCurl)('the examples of the README (skipped without curl)', () => {
  let folder: string;
  let server: RunningServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'asking-'));
    await writeFile(
      join(folder, 'seven.png'),
      encode({ width: 3, height: 5, channels: 1, data: new Uint8Array(pixels(seven)) }),
    );
    const models = memoryRepository({ digits: { versions: { 1: digits } }, iris: { versions: { 1: iris } } });
    server = await serve({ models, backend: createReferenceBackend(), port: 0 });
  });

  afterAll(async () => {
    await server.close(0);
    await rm(folder, { recursive: true });
  });

  it('are there', () => expect(examples.length).toBeGreaterThan(8));

  it.each(examples)('%s', async (command, output) => {
    const here = (command as string).replaceAll('localhost:8000', server.url.replace('http://', ''));
    const { stdout } = await run('sh', ['-c', here], { cwd: folder });
    const [beginning = '', ...others] = (output as string).split('…');
    // What is left out may be anything.
    const pattern = [beginning, ...others].map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+');
    expect(stdout).toMatch(new RegExp(`^${pattern}$`));
  });
});
