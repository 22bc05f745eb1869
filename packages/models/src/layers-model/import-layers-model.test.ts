import { readFileSync } from 'node:fs';
import {
  createPredictor,
  createReferenceBackend,
  type DType,
  fromNumbers,
  type Tensor,
  toNumbers,
  zeros,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import {
  batchNormalization,
  conv1d,
  conv2d,
  dense,
  flatten,
  importedClasses,
  importLayersModel,
  importLayersModelWeights,
  type LayersModelFile,
  sequential,
  type WeightSpec,
} from '../index.js';

interface Packed {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface SavedModel {
  readonly name: string;
  readonly model: {
    readonly modelTopology: object;
    readonly weightsManifest: readonly { readonly weights: readonly object[] }[];
  };
  /** In base 64. */
  readonly weights: string;
  readonly inputs: readonly Packed[];
  readonly outputs: readonly Packed[];
}

const fixture = (name: string): readonly SavedModel[] =>
  (JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8')) as { cases: SavedModel[] })
    .cases;
// What TensorFlow.js and Keras saved and predicted; see the generators beside the files.
const cases = [...fixture('layers-models.json'), ...fixture('keras-models.json')];
const caseNamed = (name: string): SavedModel => cases.find((each) => each.name === name) as SavedModel;

const bytesOf = ({ weights }: SavedModel): Buffer => Buffer.from(weights, 'base64');
const fileOf = (saved: SavedModel): LayersModelFile => ({
  model: JSON.stringify(saved.model),
  readShard: (path) => {
    expect(path).toBe('weights.bin');
    return bytesOf(saved);
  },
});
const unpack = ({ dtype, shape, data }: Packed): Tensor => fromNumbers(dtype, shape, data);

describe('models that TensorFlow.js or Keras has saved predict the same', () => {
  test.each(cases.map((each) => [each.name, each] as const))('%s', async (_, saved) => {
    const { model, report } = await importLayersModel(fileOf(saved));
    expect(report).toMatchObject({ missing: [], leftOver: [], mismatched: [], ignored: [] });
    expect(report.matched).toHaveLength(model.parameters.length);
    const names = model.graph.inputs.map(({ name }) => name);
    const predictor = await createPredictor(model, createReferenceBackend());
    const outputs = await predictor.predict(
      Object.fromEntries(saved.inputs.map((input, index) => [names[index] as string, unpack(input)])),
    );
    model.graph.outputs.forEach(({ name }, index) => {
      const expected = saved.outputs[index] as Packed;
      expect(outputs[name]?.shape).toEqual(expected.shape);
      const numbers = toNumbers(outputs[name] as Tensor);
      expected.data.forEach((value, place) => {
        expect(Math.abs((numbers[place] as number) - value)).toBeLessThan(2e-5 * (1 + Math.abs(value)));
      });
    });
  });
});

describe('weights alone', () => {
  const saved = caseNamed('functional, shared layers, two outputs');

  test('go to layers of equal names, however these are written; the rest is reported', async () => {
    const model = sequential({
      inputShape: [8, 8, 3],
      layers: [
        conv2d({ filters: 4, kernelSize: 3, name: 'Stem' }),
        batchNormalization({ name: 'no.rm' }),
        flatten(),
        dense({ units: 5, name: 'kind' }),
        dense({ units: 2, name: 'other' }),
      ],
    });
    const before = model.getWeights()['kind.kernel'];
    const report = await importLayersModelWeights(model, fileOf(saved));
    expect(report.matched).toEqual(
      expect.arrayContaining([
        { parameter: 'Stem.kernel', tensor: 'stem/kernel' },
        { parameter: 'no.rm.movingVariance', tensor: 'norm/moving_variance' },
      ]),
    );
    expect(report.missing).toEqual(['other.kernel', 'other.bias']);
    expect(report.leftOver).toEqual(['shared/kernel', 'size/kernel', 'size/bias']);
    expect(report.mismatched.map(({ parameter }) => parameter)).toEqual(['kind.kernel', 'kind.bias']);
    expect(model.getWeights()['kind.kernel']).toBe(before);
    await expect(importLayersModelWeights(model, fileOf(saved), { strict: true })).rejects.toThrow(
      "do not fit model 'sequential': nothing was found for other.kernel, other.bias; there is no place for shared/kernel",
    );
  });

  test('layers may be counted from another number', async () => {
    const tower = (count: number) =>
      Array.from({ length: count }, () => conv1d({ filters: 2, kernelSize: 2, padding: 'same' }));
    const model = sequential({ inputShape: [4, 2], layers: tower(4) });
    const names = model.parameters.map(({ name }) => name);
    const weightSpecs = [7, 8, 9, 10].flatMap((number) => [
      { name: `conv1d_${number}/kernel`, shape: [2, 2, 2], dtype: 'float32' },
      { name: `conv1d_${number}/bias`, shape: [2], dtype: 'float32' },
    ]);
    const weightData = Float32Array.from({ length: 40 }, (_, index) => index).buffer;
    const { matched } = await importLayersModelWeights(model, { weightSpecs, weightData }, { strict: true });
    expect(matched.map(({ parameter }) => parameter)).toEqual(names);
    expect(model.getWeights()['conv1d_3.bias']?.data).toEqual(Float32Array.of(38, 39));
  });

  test('of an artifacts object, as save handlers get it', async () => {
    const { model } = await importLayersModel(fileOf(saved));
    const [kernel, ...rest] = Object.keys(model.getWeights());
    const copy = (await importLayersModel(fileOf(saved))).model;
    copy.setWeights({ [kernel as string]: zeros('float32', copy.getWeights()[kernel as string]?.shape as number[]) });
    const artifacts = {
      modelTopology: saved.model.modelTopology,
      weightSpecs: saved.model.weightsManifest[0]?.weights as readonly WeightSpec[],
      weightData: new Uint8Array(bytesOf(saved)).buffer,
    };
    expect((await importLayersModelWeights(copy, artifacts)).matched).toHaveLength(rest.length + 1);
    expect(copy.getWeights()).toEqual(model.getWeights());
  });
});

describe('what cannot be imported is named', () => {
  const saved = caseNamed('embedding');
  const config = (className: string, more: object = {}) => ({
    class_name: className,
    config: { name: 'odd', ...more },
  });
  const withLayers = (...layers: object[]): LayersModelFile => ({
    model: {
      modelTopology: {
        keras_version: '3.4.1',
        model_config: {
          class_name: 'Sequential',
          config: {
            name: 'chain',
            layers: [{ class_name: 'InputLayer', config: { batch_shape: [null, 4, 4, 2], name: 'start' } }, ...layers],
          },
        },
      },
    },
    readShard: () => new Uint8Array(),
  });

  test('all unknown layers at once, with their names', async () => {
    const file = withLayers(config('Discretization'), config('Dense', { units: 1 }), config('Wild'));
    await expect(importLayersModel(file)).rejects.toMatchObject({
      code: 'unsupported-op',
      message: "layers that cannot be imported: Discretization 'odd', Wild 'odd'",
    });
  });

  test.each([
    [
      'an activation',
      config('Dense', { units: 1, activation: 'sparsemax' }),
      "Dense 'odd' cannot be imported: there is no activation",
    ],
    [
      'a constraint',
      config('Dense', { units: 1, kernel_constraint: { class_name: 'Odd' } }),
      "there is no constraint 'Odd'",
    ],
  ])('%s', async (_, layer, message) => {
    await expect(importLayersModel(withLayers(layer))).rejects.toThrow(message);
  });

  test('options that say something and mean nothing here are reported', async () => {
    const layer = config('Flatten', {
      activity_regularizer: { class_name: 'L2' },
      kernel_initializer: { class_name: 'Zeros' },
    });
    const { report, model } = await importLayersModel(withLayers(layer));
    expect(report.ignored).toEqual(['odd.activity_regularizer']);
    expect(model.graph.outputs[0]).toMatchObject({ name: 'odd', value: { shape: ['batch', 32] } });
  });

  test('files that are no LayersModel, and shards that are too short or too long', async () => {
    const file = fileOf(saved);
    const readShard = () => bytesOf(saved);
    await expect(importLayersModel({ ...file, model: '{' })).rejects.toThrow('model.json is no JSON');
    await expect(importLayersModel({ ...file, model: { format: 'graph-model' } })).rejects.toThrow('graph-model');
    await expect(importLayersModel({ ...file, model: {} })).rejects.toThrow('has weights alone, no topology');
    await expect(importLayersModel({ ...file, readShard: () => readShard().subarray(0, 40) })).rejects.toThrow(
      "the shards have 40 bytes, but weight 'embedding_Embedding1/embeddings' would end at 176",
    );
    const long = new Uint8Array(readShard().length + 1);
    await expect(importLayersModel({ ...file, readShard: () => long })).rejects.toThrow('all weights together take');
  });
});

test('Keras 3 writes functional models in its own way', async () => {
  const tensorOf = (layer: string) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, 3], dtype: 'float32', keras_history: [layer, 0, 0] },
  });
  const layer = (name: string, className: string, config: object, args: readonly unknown[]) => ({
    module: 'keras.layers',
    class_name: className,
    config: { name, trainable: true, dtype: { class_name: 'DTypePolicy', config: { name: 'float32' } }, ...config },
    name,
    inbound_nodes: args.length === 0 ? [] : [{ args, kwargs: {} }],
  });
  const { model } = await importLayersModel({
    model: {
      modelTopology: {
        keras_version: '3.4.1',
        model_config: {
          class_name: 'Functional',
          config: {
            name: 'functional',
            layers: [
              layer('x', 'InputLayer', { batch_shape: [null, 3] }, []),
              layer('half', 'Rescaling', { scale: 0.5, offset: 0 }, [tensorOf('x')]),
              layer('sum', 'Add', {}, [[tensorOf('x'), tensorOf('half')]]),
              layer('hard', 'Activation', { activation: 'hard_sigmoid' }, [tensorOf('sum')]),
            ],
            input_layers: ['x', 0, 0],
            output_layers: [['hard', 0, 0]],
          },
        },
      },
    },
    readShard: () => new Uint8Array(),
  });
  const predictor = await createPredictor(model, createReferenceBackend());
  const { hard } = await predictor.predict(fromNumbers('float32', [1, 3], [-4, 0, 1]));
  // relu6(1.5 · x + 3) / 6
  expect([...toNumbers(hard as Tensor)]).toEqual([0, 0.5, 0.75]);
});

test('every class that is listed can be found', () => {
  expect(importedClasses).toEqual(expect.arrayContaining(['Dense', 'Conv2D', 'LSTM', 'Bidirectional', 'PReLU']));
  expect(importedClasses.length).toBeGreaterThan(60);
});
