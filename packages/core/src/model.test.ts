import { describe, expect, test } from 'vitest';
import { GraphBuilder } from './graph/graph-builder.js';
import { Model, type Parameter } from './model.js';
import { createPredictor } from './predictor.js';
import { createReferenceBackend } from './reference/reference-backend.js';
import { type Tensor, tensor } from './tensor/tensor.js';

/** `scores = image·kernel + bias` */
function linear(): Model {
  const builder = new GraphBuilder('linear');
  const image = builder.input('image', 'float32', ['batch', 2]);
  const kernel = builder.constant(
    tensor([
      [1, 2],
      [3, 4],
    ]),
    { name: 'head.dense.kernel' },
  );
  const bias = builder.constant(tensor([10, 20]), { name: 'head.dense.bias' });
  builder.output('scores', builder.op('Add', [builder.op('MatMul', [image, kernel]), bias]));
  const parameters = [kernel, bias].map(
    (value): Parameter => ({ name: value.name, value, trainable: true, role: 'weight' }),
  );
  return new Model({ name: 'linear', graph: builder.build(), parameters });
}

describe('Model', () => {
  test('counts and names its weights', () => {
    const model = linear();
    expect(model.parameterCount).toBe(6);
    expect(Object.keys(model.getWeights())).toEqual(['head.dense.kernel', 'head.dense.bias']);
    expect(model.getWeights()['head.dense.bias']).toEqual(tensor([10, 20]));
  });

  test('replaced weights are those of the graph, in the dtype of the graph', async () => {
    const model = linear();
    const before = model.graph;
    model.setWeights({ 'head.dense.bias': tensor([0, 1], { dtype: 'float64' }) });
    expect(model.getWeights()['head.dense.bias']).toEqual(tensor([0, 1]));
    expect([...before.constants.values()]).toContainEqual(tensor([10, 20]));
    const predictor = await createPredictor(model, createReferenceBackend());
    expect((await predictor.predict([[1, 0]]))['scores']).toEqual(tensor([[1, 3]]));
  });

  test('a wrong weight among others changes none', () => {
    const model = linear();
    expect(() => model.setWeights({ 'head.dense.bias': tensor([0, 0]), 'head.dense.kernel': tensor([1]) })).toThrow();
    expect(model.getWeights()['head.dense.bias']).toEqual(tensor([10, 20]));
  });

  test('freezes by layer path, and not what only begins alike', () => {
    const model = linear();
    const trainable = (): readonly string[] =>
      model.parameters.filter((each) => each.trainable).map(({ name }) => name);
    model.setTrainable('head', false);
    expect(trainable()).toEqual([]);
    model.setTrainable('head.dense.bias', true);
    expect(trainable()).toEqual(['head.dense.bias']);
    expect(() => model.setTrainable('head.den', false)).toThrow("has no weight 'head.den'");
    model.setTrainable('', true);
    expect(trainable()).toHaveLength(2);
  });

  test('a parameter must be a constant of the graph', () => {
    const { graph } = linear();
    const stray = { name: 'stray', dtype: 'float32' as const, shape: [1] };
    const parameters: readonly Parameter[] = [{ name: 'stray', value: stray, trainable: true, role: 'weight' }];
    expect(() => new Model({ name: 'm', graph, parameters })).toThrow("parameter 'stray' of model 'm'");
  });
});

describe('Predictor', () => {
  const expected = tensor([
    [14, 26],
    [11, 22],
  ]);
  const forms = {
    'nested arrays': [
      [1, 1],
      [1, 0],
    ],
    'nested arrays by name': {
      image: [
        [1, 1],
        [1, 0],
      ],
    },
    'a tensor': tensor([
      [1, 1],
      [1, 0],
    ]),
    'a tensor by name': {
      image: tensor([
        [1, 1],
        [1, 0],
      ]),
    },
    'flat storage, whose batch follows from its length': Float32Array.of(1, 1, 1, 0),
    'flat storage by name': { image: Float32Array.of(1, 1, 1, 0) },
  } as const;

  test.each(Object.entries(forms))('takes %s', async (_, given) => {
    const predictor = await createPredictor(linear(), createReferenceBackend());
    expect((await predictor.predict(given))['scores'] as Tensor).toEqual(expected);
  });

  test('several inputs must be named', async () => {
    const builder = new GraphBuilder('pair');
    const [a, b] = ['a', 'b'].map((name) => builder.input(name, 'float32', [1]));
    builder.output('sum', builder.op('Add', [a, b]));
    const model = new Model({ name: 'pair', graph: builder.build(), parameters: [] });
    const predictor = await createPredictor(model, createReferenceBackend());
    expect((await predictor.predict({ a: [1], b: [2] }))['sum']).toEqual(tensor([3]));
    await expect(predictor.predict([1])).rejects.toThrow('the model has 2 inputs (a, b); pass them by name');
  });
});
