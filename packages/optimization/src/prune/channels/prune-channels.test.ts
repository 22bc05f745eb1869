import { createReferenceBackend, fromNumbers, type Model, type TensorMap, tensor } from '@modelwright/core';
import {
  activation,
  add,
  batchNormalization,
  conv2d,
  dense,
  flatten,
  globalAveragePooling2d,
  input,
  model,
  sequential,
} from '@modelwright/models';
import { adam, createTrainer } from '@modelwright/training';
import { describe, expect, test } from 'vitest';
import { channelGroups } from './channel-groups.js';
import { runFile, shakeWeights } from './channels.cases.js';
import { gradientsOf } from './gradients-of.js';
import { pruneChannels } from './prune-channels.js';
import { removeChannels } from './remove-channels.js';
import { selectChannels } from './select-channels.js';

/** Two convolutions of 8 and 16 channels, a residual sum of 16, and a classifier. */
function network(): Model {
  const image = input({ name: 'x', shape: [6, 6, 1] });
  const conv = (name: string, filters: number) =>
    conv2d({ name, filters, kernelSize: 3, padding: 'same', activation: 'relu' });
  const narrow = conv('narrow', 8)(image);
  const wide = batchNormalization({ name: 'norm' })(conv('wide', 16)(narrow));
  const sum = add({ name: 'sum' })([wide, conv('again', 16)(wide)]);
  const logits = dense({ name: 'logits', units: 3 })(globalAveragePooling2d()(activation('relu')(sum)));
  const built = model({ inputs: image, outputs: { logits } });
  shakeWeights(built);
  return built;
}

const shapeOf = (pruned: Model, weight: string): readonly number[] | undefined => pruned.getWeights()[weight]?.shape;

/** A weight with some of its slices multiplied. */
function scaled(
  built: Model,
  name: string,
  { axis, channels, by }: { axis: number; channels: readonly number[]; by: number },
): void {
  const weight = built.getWeights()[name] as TensorMap[string];
  const inner = weight.shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  const values = Float64Array.from(weight.data as Float32Array, (value, at) =>
    channels.includes(Math.floor(at / inner) % (weight.shape[axis] as number)) ? value * by : value,
  );
  built.setWeights({ [name]: fromNumbers('float32', weight.shape, values) });
}

describe('groups', () => {
  test('are made by layers, and by several where they are added', () => {
    expect(
      channelGroups(network()).map(({ name, channels, members }) => [
        name,
        channels,
        members.map((member) => `${member.role} ${member.name}`),
      ]),
    ).toEqual([
      ['narrow', 8, ['makes narrow.kernel', 'sums wide.kernel']],
      [
        'wide',
        16,
        ['makes wide.kernel', 'makes again.kernel', 'sums again.kernel', 'sums logits.kernel', 'scales norm.gamma'],
      ],
    ]);
  });

  test('leave out what is ignored', () => {
    expect(channelGroups(network(), { ignore: ['again'] }).map(({ name }) => name)).toEqual(['narrow']);
    expect(() => channelGroups(network(), { ignore: ['nowhere'] })).toThrow(/no layer or weight 'nowhere'.*narrow/);
  });
});

describe('how many go', () => {
  test('a share of each layer, or of one its own', async () => {
    const pruned = await removeChannels(network(), { ratio: 0.25, ratios: { narrow: 0.5 } });
    expect(shapeOf(pruned, 'narrow.kernel')).toEqual([4, 1, 3, 3]);
    expect(shapeOf(pruned, 'wide.kernel')).toEqual([12, 4, 3, 3]);
  });

  test('rounded to what hardware likes', async () => {
    const pruned = await removeChannels(network(), { ratio: 0.4, roundTo: 8 });
    expect(shapeOf(pruned, 'wide.kernel')).toEqual([8, 8, 3, 3]);
  });

  test('those of all that matter least, up to a limit for each', async () => {
    const built = network();
    scaled(built, 'wide.kernel', { axis: 0, channels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], by: 0.01 });
    scaled(built, 'again.kernel', { axis: 0, channels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], by: 0.01 });
    const count = async (options: object): Promise<readonly number[]> =>
      [...(await selectChannels(built, { ranking: 'global', ratio: 1 / 3, ...options })).values()].map(
        (gone) => gone.length,
      );
    expect(await count({})).toEqual([8]);
    expect((await count({ maxRatio: 0.34 }))[1]).toBe(5);
  });

  test('at most all but one', async () => {
    const pruned = await removeChannels(network(), { ratio: 0.99 });
    expect(shapeOf(pruned, 'wide.kernel')).toEqual([1, 1, 3, 3]);
  });

  test('refuses shares that are none', async () => {
    await expect(removeChannels(network(), { ratio: 1 })).rejects.toThrow(/ratio is 1; a share in \[0, 1\)/);
    await expect(removeChannels(network(), { ratios: { narow: 0.5 } })).rejects.toThrow(/no layer or weight 'narow'/);
    await expect(removeChannels(network(), { selection: new Map([['logits', [0]]]) })).rejects.toThrow(
      /no channels of 'logits' can be removed; those of these can: narrow, wide/,
    );
  });
});

describe('which go', () => {
  const weak = [1, 4, 6, 7];
  for (const importance of ['l1', 'l2'] as const) {
    test(`those of small weights: ${importance}`, async () => {
      const built = network();
      scaled(built, 'narrow.kernel', { axis: 0, channels: weak, by: 0.01 });
      expect((await selectChannels(built, { ratio: 0.5, importance })).get('narrow')).toEqual(weak);
    });
  }

  test('those of small scales', async () => {
    const built = network();
    const few = [0, 2, 3, 5, 8, 9, 11, 15];
    scaled(built, 'norm.gamma', { axis: 0, channels: few, by: 0.001 });
    expect((await selectChannels(built, { ratio: 0.5, importance: 'bnScale' })).get('wide')).toEqual(few);
  });

  test('those without influence on the loss', async () => {
    const built = network();
    scaled(built, 'wide.kernel', { axis: 1, channels: weak, by: 0 });
    const batch = {
      x: tensor(
        Array.from({ length: 72 }, (_, at) => Math.sin(at)),
        { shape: [2, 6, 6, 1] },
      ),
      labels: tensor([0, 2], { dtype: 'int32' }),
    };
    const importance = {
      kind: 'taylor',
      gradients: (each: Model) =>
        gradientsOf(each, {
          backend: createReferenceBackend(),
          batches: [batch],
          loss: ({ builder, batch: { labels }, outputs: { logits } }) =>
            builder.op('ReduceMean', [builder.op('SparseSoftmaxCrossEntropy', [logits, labels])], { keepdims: 0 }),
        }),
    } as const;
    expect((await selectChannels(built, { ratio: 0.5, importance })).get('narrow')).toEqual(weak);
  });

  test('some by chance, the same for the same seed', async () => {
    const choose = async (seed: number) =>
      (await selectChannels(network(), { ratio: 0.5, importance: { kind: 'random', seed } })).get('wide');
    expect(await choose(1)).toEqual(await choose(1));
    expect(await choose(1)).not.toEqual(await choose(2));
  });
});

test('channels that are silent go without a trace', async () => {
  const built = network();
  const silent = [0, 3, 5];
  for (const name of ['narrow.kernel', 'narrow.bias']) scaled(built, name, { axis: 0, channels: silent, by: 0 });
  const pruned = await removeChannels(built, { ratio: 0, ratios: { narrow: 3 / 8 } });
  expect(shapeOf(pruned, 'narrow.kernel')).toEqual([5, 1, 3, 3]);
  const x = tensor(
    Array.from({ length: 72 }, (_, at) => Math.cos(at)),
    { shape: [2, 6, 6, 1] },
  );
  const [before, after] = [await runFile(built, { x }), await runFile(pruned, { x })];
  before['logits']?.forEach((value, at) => {
    expect(after['logits']?.[at]).toBeCloseTo(value, 5);
  });
});

test('a pruned model trains, and its layers say what they are now', async () => {
  const built = sequential({
    inputShape: [6, 6, 1],
    layers: [conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }), flatten(), dense({ units: 2 })],
  });
  const { model: pruned, notes = [] } = await pruneChannels({ ratio: 0.5 }).apply(built, {
    backend: createReferenceBackend(),
    extensions: [],
  });
  expect(notes[0]).toBe('parameters 338 → 170 (50 %), multiply-adds 1408 → 704 (50 %)');
  expect(notes).toContain('conv2d: weights 80 → 40 (50 %), multiply-adds 1152 → 576 (50 %)');
  expect(notes.at(-1)).toMatch(/^kept whole \(output '.*'\): dense$/);
  expect(pruned.layers.slice(1).map(({ outputShape }) => outputShape.slice(1))).toEqual([[4, 4, 4], [64], [2]]);
  const x = tensor(
    Array.from({ length: 4 * 36 }, (_, at) => Math.sin(at * 3) + (at < 72 ? 1 : -1)),
    { shape: [4, 6, 6, 1] },
  );
  const y = tensor([0, 0, 1, 1], { dtype: 'int32' });
  const trainer = await createTrainer(pruned, {
    backend: createReferenceBackend(),
    optimizer: adam({ learningRate: 0.05 }),
    loss: 'sparseCategoricalCrossentropy',
  });
  const before = (await trainer.evaluate({ x, y })).loss as number;
  await trainer.fit({ x, y }, { epochs: 3, batchSize: 4, verbose: 0 });
  expect((await trainer.evaluate({ x, y })).loss).toBeLessThan(before);
  await trainer.dispose();
});

test('in several steps, with training between them', async () => {
  const widths: unknown[] = [];
  const pruned = await removeChannels(network(), {
    ratio: 0.5,
    iterations: 4,
    between: (each, iteration) => {
      widths.push([iteration, shapeOf(each, 'wide.kernel')?.[0], shapeOf(each, 'narrow.kernel')?.[0]]);
      return undefined;
    },
  });
  expect(widths).toEqual([
    [1, 14, 7],
    [2, 12, 6],
    [3, 10, 5],
  ]);
  expect(shapeOf(pruned, 'wide.kernel')).toEqual([8, 4, 3, 3]);
});
