import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend, evaluateGraph, fromNumbers, type Tensor, tensor } from '@modelwright/core';
import { readOnnxFile } from '@modelwright/onnx/file';
import type { OptimizationRecord } from '@modelwright/optimization';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, tinyModel, type Workplace } from '../../test/command-line.js';
import { decodeNpz, encodeNpz } from '../files/npz.js';
import { judgeFrom } from '../model/judge-model.js';

let workplace: Workplace;
const path = (name: string): string => join(workplace.folder, name);

beforeAll(async () => {
  workplace = await createWorkplace();
  const pixels = Float64Array.from({ length: 24 * 64 }, (_, at) => Math.cos(at * 2.3));
  const image = fromNumbers('float32', [24, 1, 8, 8], pixels);
  const labels = tensor(
    Array.from({ length: 24 }, (_, at) => at % 3),
    { dtype: 'int32' },
  );
  writeFileSync(path('samples.npz'), encodeNpz({ image }));
  writeFileSync(path('test.npz'), encodeNpz({ image, labels }));
  writeFileSync(
    path('eval.ts'),
    `type Judged = { readonly parameters: readonly { readonly name: string }[]; weightOf(p: unknown): { data: ArrayLike<number> } };
     export default async (model: Judged, { backend }: { backend: { name: string } }): Promise<object> => {
       if (backend.name !== 'onnxruntime') throw new TypeError(backend.name);
       const [stem] = model.parameters;
       const zeros = Array.from(model.weightOf(stem).data).filter((value) => value === 0).length;
       return { value: 1 - zeros / 18, name: 'kept', count: 18 };
     };`,
  );
});
afterAll(() => workplace.dispose());

const quick = ['--seconds', '0.02', '--batch', '2', '--backend', 'onnxruntime'];

test('quantizes with samples and labels; the file holds the record, which inspect shows', async () => {
  const args = [
    '--quantize',
    'static',
    '--calibrate',
    'samples.npz',
    '--evaluate',
    'test.npz',
    '--html',
    'report.html',
  ];
  const { exitCode, data } = await workplace.json<OptimizationRecord & { readonly files: readonly string[] }>([
    ...['optimize', 'tiny.onnx', '-o', 'small.onnx', ...args, ...quick],
  ]);
  expect(exitCode).toBe(0);
  expect(data.files).toEqual(['small.onnx', 'report.html']);
  const last = data.stages.at(-1);
  expect(last?.name).toContain('static');
  expect(last?.quality).toMatchObject({ name: 'accuracy', count: 24 });
  expect(last?.speeds[0]?.throughput).toMatchObject({ batch: 2 });
  const ops = (await readOnnxFile(path('small.onnx'))).graph.nodes.map(({ op }) => op);
  expect(ops).toContain('QuantizeLinear');
  expect(readFileSync(path('report.html'), 'utf8')).toContain('quantize static');
  const inspected = await workplace.json<{ optimization: OptimizationRecord }>(['inspect', 'small.onnx']);
  expect(inspected.data.optimization.stages.map(({ name }) => name)).toEqual(data.stages.map(({ name }) => name));
  const { stdout } = await workplace.modelwright(['inspect', 'small.onnx']);
  expect(stdout).toMatch(/optimized\n +tiny, step by step/);
  expect(stdout).not.toContain('modelwright.optimization:');
}, 60_000);

test('measures memory in processes of their own', async () => {
  const args = ['--no-tidy', '--memory', '--seconds', '0.02', '--batch', '2', '--backend', 'onnxruntime'];
  const { exitCode, data } = await workplace.json<OptimizationRecord>(['optimize', 'tiny.onnx', ...args]);
  expect(exitCode).toBe(0);
  expect(data.stages[0]?.speeds[0]?.memoryBytes?.count).toBe(3);
  expect(data.stages[0]?.speeds[0]?.memoryBytes?.median).toBeGreaterThan(0);
}, 60_000);

test('judges with a module in TypeScript, exits with 1 where too much is lost, and writes all the same', async () => {
  const args = ['--prune-weights', '0.5', '--evaluate', 'eval.ts', '--max-loss', '0.1', '--no-measure', '--no-tidy'];
  const { exitCode, stdout } = await workplace.modelwright(['optimize', 'tiny.onnx', '-o', 'sparse.onnx', ...args]);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/original +94\.44 %/);
  expect(stdout).toContain('lost 0.444, more than the 0.1 of --max-loss');
  const sparse = await readOnnxFile(path('sparse.onnx'));
  const kernel = sparse.getWeights()['stem.kernel'] as Tensor;
  expect(Array.from(kernel.data as Float32Array).filter((value) => value === 0)).toHaveLength(9);
}, 60_000);

test.each<[string, readonly string[], number, string]>([
  ['static without samples', ['--quantize', 'static'], 2, 'needs samples'],
  ['a folder that is not there', ['-o', 'nowhere/small.onnx'], 3, "cannot write 'nowhere/small.onnx'"],
])(
  '%s: nothing is written',
  async (_what, args, status, message) => {
    const before = readdirSync(workplace.folder);
    const { exitCode, stdout, stderr } = await workplace.modelwright([
      'optimize',
      'tiny.onnx',
      '--no-measure',
      ...args,
    ]);
    expect([exitCode, stdout]).toEqual([status, '']);
    expect(stderr).toContain(message);
    expect(readdirSync(workplace.folder)).toEqual(before);
    expect(existsSync(path('nowhere'))).toBe(false);
  },
  60_000,
);

test.each<[string, string, string, string]>([
  ['an archive without labels', 'samples.npz', 'invalid-argument', 'holds no labels'],
  ['an archive without the input', 'wrong.npz', 'invalid-argument', "lack the input 'image'; there is: a, b"],
  ['no such judge', 'nobody.ts', 'file-unreadable', 'no such file'],
  ['a judge that is no function', 'number.mjs', 'invalid-configuration', 'exports no function by default'],
  ['a judge that cannot be imported', 'broken.mjs', 'invalid-configuration', "--evaluate: cannot import '"],
])('%s is refused', async (_what, file, code, message) => {
  writeFileSync(path('wrong.npz'), encodeNpz({ a: tensor([1]), b: tensor([2]) }));
  writeFileSync(path('number.mjs'), 'export default 3;');
  writeFileSync(path('broken.mjs'), 'throw 1;');
  const judge = judgeFrom(path(file), tinyModel(), createReferenceBackend());
  await expect(judge).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test('labels are judged by the highest score', async () => {
  const { image } = decodeNpz(readFileSync(path('samples.npz')), 'samples.npz');
  const backend = createReferenceBackend();
  const { scores } = evaluateGraph(tinyModel().graph, { image: image as Tensor });
  const rows = Array.from({ length: 24 }, (_, row) =>
    Array.from((scores as Tensor).data as Float32Array).slice(row * 3, row * 3 + 3),
  );
  const best = rows.map((row) => row.indexOf(Math.max(...row)));
  // Six of the 24 labels are wrong.
  const labels = tensor(
    best.map((each, at) => (at % 4 === 0 ? (each + 1) % 3 : each)),
    { dtype: 'int64' },
  );
  writeFileSync(path('right.npz'), encodeNpz({ image: image as Tensor, labels }));
  const judge = await judgeFrom(path('right.npz'), tinyModel(), backend);
  expect(await judge(tinyModel())).toEqual({ value: 0.75, count: 24 });
});
