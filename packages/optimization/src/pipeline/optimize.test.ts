import { createBackend } from '@modelwright/backend-onnxruntime';
import {
  type Backend,
  createReferenceBackend,
  fromNumbers,
  GraphBuilder,
  Model,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import { conv2d, dense, flatten, sequential } from '@modelwright/models';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { afterAll, expect, test } from 'vitest';
import { recordOf } from '../report/index.js';
import type { OptimizationStep } from '../step.js';
import { fineTune, type OptimizationProgress, type OptimizeOptions, optimize } from './index.js';

const opened = createBackend();
afterAll(async () => (await opened).dispose());

const wave = (shape: readonly number[], phase = 0): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, at) => Math.sin(at * 1.7 + phase)),
  );
};

function network(): Model {
  const model = sequential({
    name: 'net',
    inputShape: [8, 8, 1],
    layers: [
      conv2d({ filters: 4, kernelSize: 3, activation: 'relu', name: 'first' }),
      conv2d({ filters: 4, kernelSize: 3, activation: 'relu', name: 'second' }),
      flatten(),
      dense({ units: 3, name: 'head' }),
    ],
  });
  model.setWeights(
    Object.fromEntries(model.parameters.map(({ name, value }, at) => [name, wave(value.shape as number[], at)])),
  );
  return model;
}

/** Rounds the weights of one layer, as quantization would. */
const round = (layer: string, steps: number): OptimizationStep => ({
  name: `round ${layer}`,
  async apply(model) {
    const kernel = model.getWeights()[`${layer}.kernel`] as Tensor;
    const rounded = Float64Array.from(toNumbers(kernel), (value) => Math.round(value * steps) / steps);
    model.setWeights({ [`${layer}.kernel`]: fromNumbers('float32', kernel.shape, rounded) });
    return { model, notes: [`${layer} in ${steps} steps`] };
  },
});

const quick = { seconds: 0.02, batch: 4 };
const run = async (options: Partial<OptimizeOptions>) =>
  optimize(network(), { backend: await opened, steps: [], measure: quick, ...options });

test('records quality, sizes, costs and speed of every step', async () => {
  const { model, report } = await run({
    steps: [round('first', 2), round('second', 2)],
    calibration: wave([20, 8, 8, 1]),
    evaluate: (candidate) => ({
      value: toNumbers(candidate.getWeights()['first.kernel'] as Tensor)[0] === 0 ? 0.5 : 0.6,
      count: 100,
    }),
  });
  const [original, first, second] = report.record.stages;
  expect(report.record.stages.map(({ name }) => name)).toEqual(['original', 'round first', 'round second']);
  expect(first?.quality).toMatchObject({ name: 'accuracy', value: 0.5, count: 100 });
  expect(first?.quality?.low).toBeLessThan(0.5);
  expect(first?.notes).toEqual(['first in 2 steps']);
  // 6·6 places of 4 filters of 9, then 4·4 of 4 filters of 4·9, then 64·3.
  expect(original?.multiplyAdds).toBe(36 * 36 + 16 * 4 * 36 + 64 * 3);
  expect(original?.weights).toBe(36 + 4 + 144 + 4 + 192 + 3);
  expect(second?.nonZeroWeights).toBeLessThan(original?.nonZeroWeights as number);
  expect(second?.compressedBytes).toBeLessThan(original?.compressedBytes as number);
  expect(second?.speeds[0]).toMatchObject({
    backend: 'onnxruntime:cpu',
    latency: { batch: 1 },
    throughput: { batch: 4 },
  });
  const { speedup, milliseconds } = second!.speeds[0]!.throughput;
  expect(speedup.low).toBeLessThanOrEqual(speedup.median);
  expect(speedup.median).toBeLessThanOrEqual(speedup.high);
  expect(milliseconds.count).toBeGreaterThanOrEqual(9);
  expect(recordOf(model)?.stages).toHaveLength(3);
});

test('asks for peak memory of each stage and on each backend where it is told how', async () => {
  const asked: string[] = [];
  const memory = async (model: Model, backend: Backend, inputs: TensorMap): Promise<number> => {
    asked.push(`${backend.name} ${Object.values(inputs)[0]?.shape[0]}`);
    return 1000 + model.parameters.length;
  };
  const { report } = await run({
    steps: [round('first', 2)],
    measure: { ...quick, layers: false, memory, backends: [createReferenceBackend()] },
  });
  expect(new Set(asked)).toEqual(new Set(['onnxruntime 4', 'reference 4']));
  expect(report.record.stages[1]?.speeds.map(({ backend }) => backend)).toEqual(['onnxruntime:cpu', 'reference:cpu']);
  expect(report.record.stages[1]?.speeds[1]?.memoryBytes).toMatchObject({ median: 1006, count: 3 });
  expect(report.toString()).toMatch(/Speed on reference:cpu[\s\S]*peak memory/);
});

test('the record survives the file, and no trace of it counts as bytes', async () => {
  const { model, report } = await run({ steps: [round('first', 4)], measure: false });
  const again = readOnnx(writeOnnx(model).bytes);
  expect(recordOf(again)?.stages.map(({ name }) => name)).toEqual(['original', 'round first']);
  const { report: next } = await optimize(again, { backend: await opened, steps: [], measure: false });
  expect(next.record.stages[0]?.fileBytes).toBe(report.record.stages[1]?.fileBytes);
});

test('names the layer that hurts most', async () => {
  const { report } = await run({ steps: [round('second', 1), round('first', 50)], calibration: wave([20, 8, 8, 1]) });
  const [, coarse, fine] = report.record.stages;
  expect(coarse?.errors?.layers[0]?.layer).toMatch(/^second/);
  expect(fine?.errors?.layers[0]?.layer).toMatch(/^first/);
  // What other layers do to the one that alone was changed is no error of its own.
  const head = coarse?.errors?.layers.find(({ layer }) => layer.startsWith('head'));
  expect(head?.ownError).toBeLessThan(1e-5);
  expect(head?.accumulatedError).toBeGreaterThan(0.01);
  expect(report.toString()).toMatch(/'second.*' hurts most/);
});

test('the model that was given stays as it was, also when a step trains in place', async () => {
  const model = network();
  const before = toNumbers(model.getWeights()['head.bias'] as Tensor).slice();
  const train = fineTune((candidate, { extensions }) => {
    expect(extensions.map(({ name }) => name)).toEqual(['kept']);
    candidate.setWeights({ 'head.bias': fromNumbers('float32', [3], [9, 9, 9]) });
    return undefined;
  });
  const keep: OptimizationStep = {
    name: 'keep',
    apply: async (candidate) => ({ model: candidate, extensions: [{ name: 'kept' }] }),
  };
  const result = await optimize(model, { backend: await opened, steps: [keep, train], measure: false });
  expect(toNumbers(model.getWeights()['head.bias'] as Tensor)).toEqual(before);
  expect([...toNumbers(result.model.getWeights()['head.bias'] as Tensor)]).toEqual([9, 9, 9]);
});

test('says what a backend cannot run before any step runs', async () => {
  const reference = createReferenceBackend();
  const { capabilities } = reference;
  const without = {
    ...reference,
    capabilities: {
      ...capabilities,
      ops: new Set([...capabilities.ops].filter((op) => op !== 'QuantizeLinear')),
      dtypesOnHost: new Set(['int8'] as const),
    },
  };
  let ran = false;
  const step = (requires: OptimizationStep['requires']): OptimizationStep => ({
    name: 'quantize static',
    ...(requires === undefined ? {} : { requires }),
    apply: async (model) => {
      ran = true;
      return { model };
    },
  });
  const refused = run({ backend: without, steps: [step({ ops: ['QuantizeLinear', 'Relu'] })] });
  await expect(refused).rejects.toMatchObject({
    code: 'unsupported-op',
    message: "reference:cpu cannot run what step 'quantize static' makes: op QuantizeLinear",
  });
  expect(ran).toBe(false);
  const { report } = await run({ backend: without, steps: [step({ dtypes: ['int8'] })] });
  expect(report.record.stages[0]?.notes).toEqual(['reference:cpu: int8 is computed on the host: slow']);
});

test('leaves out a further backend that cannot run what a step makes, and says so', async () => {
  const { capabilities, ...rest } = createReferenceBackend();
  const ops = new Set([...capabilities.ops].filter((op) => op !== 'Relu'));
  const { report } = await run({
    measure: { ...quick, backends: [{ ...rest, capabilities: { ...capabilities, ops } }] },
  });
  const [original] = report.record.stages;
  expect(original?.speeds.map(({ backend }) => backend)).toEqual(['onnxruntime:cpu']);
  expect(original?.notes[0]).toMatch(/^reference:cpu cannot run model 'net': op Relu .*; it is not measured there$/);
});

test('measures a model of open length where samples say how long, and says so where none do', async () => {
  const builder = new GraphBuilder('open');
  const x = builder.input('x', 'float32', ['batch', 'steps', 2]);
  builder.output('y', builder.op('MatMul', [x, builder.constant(wave([2, 3]))]));
  const model = new Model({ name: 'open', graph: builder.build(), parameters: [] });
  const backend = await opened;
  const without = await optimize(model, { backend, steps: [], measure: quick });
  expect(without.report.record.stages[0]).toMatchObject({
    speeds: [],
    notes: [expect.stringMatching(/^not measured/)],
  });
  expect(without.report.record.stages[0]).not.toHaveProperty('multiplyAdds');
  const measured = await optimize(model, { backend, steps: [], measure: quick, calibration: wave([3, 5, 2]) });
  const [stage] = measured.report.record.stages;
  expect(stage?.multiplyAdds).toBe(5 * 2 * 3);
  // Three samples fill a batch of four by coming again.
  expect(stage?.speeds[0]?.throughput.batch).toBe(4);
});

test('measures a model that fixes its batch with that batch, and counts for one example', async () => {
  const builder = new GraphBuilder('fixed');
  const x = builder.input('x', 'float32', [8, 2]);
  builder.output('y', builder.op('MatMul', [x, builder.constant(wave([2, 3]))]));
  const model = new Model({ name: 'fixed', graph: builder.build(), parameters: [] });
  const { report } = await optimize(model, { backend: await opened, steps: [], measure: quick });
  const [stage] = report.record.stages;
  expect(stage?.multiplyAdds).toBe(2 * 3);
  expect(stage?.speeds[0]).toMatchObject({ latency: { batch: 8 }, throughput: { batch: 8 } });
});

test('reads calibration data in every form that data comes in', async () => {
  const seen: number[][] = [];
  const look: OptimizationStep = {
    name: 'look',
    async apply(model, { calibration }) {
      const shapes: number[] = [];
      for await (const batch of calibration?.() ?? []) shapes.push((Object.values(batch)[0] as Tensor).shape[0] ?? 0);
      seen.push(shapes);
      return { model };
    },
  };
  const name = network().graph.inputs[0]?.name as string;
  const batch: TensorMap = { [name]: wave([2, 8, 8, 1]) };
  const forms: OptimizeOptions['calibration'][] = [
    wave([40, 8, 8, 1]),
    { [name]: wave([3, 8, 8, 1]) },
    [batch, batch],
    [{ inputs: wave([2, 8, 8, 1]), targets: wave([2]) } as never],
    Array.from({ length: 35 }, () => ({ inputs: wave([8, 8, 1]) })),
    async function* () {
      yield batch;
    },
  ];
  for (const calibration of forms) await run({ steps: [look], measure: false, calibration: calibration as never });
  expect(seen).toEqual([[32, 8], [3], [2, 2], [2], [32, 3], [2]]);
});

test.each([
  ['a step that is none', { steps: [{} as never] }, 'steps[0] is no optimization step'],
  ['no number', { evaluate: () => undefined as never }, 'evaluate must give a number'],
  ['samples of another rank', { calibration: wave([2]) }, 'has the shape'],
  ['samples without the input', { calibration: { nothing: wave([2]) } }, 'lacks the input'],
])('%s is refused', async (_what, options, message) => {
  await expect(run({ measure: false, ...options })).rejects.toMatchObject({
    name: 'ModelwrightError',
    message: expect.stringContaining(message),
  });
});

test('stops when it is aborted', async () => {
  await expect(run({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
  const controller = new AbortController();
  const progress = ({ phase }: OptimizationProgress): void => {
    if (phase === 'measure') controller.abort('enough');
  };
  await expect(run({ signal: controller.signal, progress })).rejects.toMatchObject({
    code: 'aborted',
    details: { cause: 'enough' },
  });
});
