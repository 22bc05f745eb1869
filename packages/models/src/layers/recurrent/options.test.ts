import {
  createPredictor,
  createReferenceBackend,
  evaluateGraph,
  fromNumbers,
  GraphBuilder,
  inlineTrainingForm,
  type Model,
  type NestedNumbers,
  type Tensor,
  type TensorMap,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { describe, expect, test } from 'vitest';
import * as layers from '../../index.js';
import { input, type Layer, lstm, model, sequential, simpleRnn } from '../../index.js';

const backend = createReferenceBackend();
const numbers = (tensor: Tensor | undefined): readonly number[] => [...toNumbers(tensor as Tensor)];
const ramp = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => Math.sin(index + 1));

/** A model of one layer over `[batch, time, features]`. */
function modelOf(layer: Layer, shape: readonly (number | null)[], batchSize?: number): layers.LayeredModel {
  const x = input({ shape, ...(batchSize === undefined ? {} : { batchSize }) });
  return model({ inputs: { x }, outputs: { y: layer(x) } });
}

/** The output of the form that a model trains in. */
function trained(built: Model, x: Tensor, step = 0): Tensor {
  const builder = new GraphBuilder('training');
  const [declared] = built.graph.inputs as [Value];
  const bindings = new Map<Value, Value>([[declared, builder.input('x', x.dtype, x.shape)]]);
  const counter = builder.constant(fromNumbers('int64', [], [step]));
  const { outputs } = inlineTrainingForm(builder, built.graph, bindings, { seed: 3, counter });
  builder.output('y', outputs[0] as Value);
  return evaluateGraph(builder.build(), { x })['y'] as Tensor;
}

describe('dropout', () => {
  const ones = fromNumbers('float32', [2, 5, 8], new Float64Array(80).fill(1));
  const copying = {
    units: 8,
    activation: 'linear',
    kernelInitializer: 'identity',
    useBias: false,
    returnSequences: true,
  } as const;

  test('drops the same features at all steps of a sequence, and none when the model infers', async () => {
    const built = modelOf(simpleRnn({ ...copying, recurrentInitializer: 'zeros', dropout: 0.5 }), [5, 8]);
    const y = numbers(trained(built, ones));
    expect(new Set(y)).toEqual(new Set([0, 2]));
    for (let row = 0; row < 2; row++) {
      const steps = Array.from({ length: 5 }, (_, step) => y.slice((row * 5 + step) * 8, (row * 5 + step + 1) * 8));
      for (const step of steps) expect(step).toEqual(steps[0]);
    }
    expect(numbers(trained(built, ones, 1))).not.toEqual(y);
    const predictor = await createPredictor(built, backend);
    expect(numbers((await predictor.predict({ x: ones }))['y'])).toEqual(numbers(ones));
  });

  test('drops the same units of the state at all steps', async () => {
    const built = modelOf(simpleRnn({ ...copying, recurrentInitializer: 'identity', recurrentDropout: 0.5 }), [5, 8]);
    const y = numbers(trained(built, ones));
    // A unit that is dropped stays at 1; one that is kept becomes 2·h + 1.
    for (let index = 0; index < 8; index++) {
      const unit = Array.from({ length: 5 }, (_, step) => y[step * 8 + index]);
      expect([
        [1, 1, 1, 1, 1],
        [1, 3, 7, 15, 31],
      ]).toContainEqual(unit);
    }
    expect(new Set(y).size).toBeGreaterThan(2);
    const predictor = await createPredictor(built, backend);
    expect(numbers((await predictor.predict({ x: ones }))['y']).slice(0, 40)[32]).toBe(5);
  });

  test.each([
    ['lstm', lstm],
    ['gru', layers.gru],
    ['gru, reset before', (options: { units: number }) => layers.gru({ ...options, resetAfter: false })],
  ] as const)('%s with rate 0⁺ trains as it infers', async (_name, create) => {
    const options = { units: 3, returnSequences: true };
    const plain = modelOf(create(options), [4, 2]);
    const dropping = modelOf(create({ ...options, dropout: 1e-9, recurrentDropout: 1e-9 } as typeof options), [4, 2]);
    dropping.importKerasWeights(plain.getKerasWeights());
    const x = fromNumbers('float32', [2, 4, 2], ramp(16));
    const expected = numbers((await (await createPredictor(plain, backend)).predict({ x }))['y']);
    numbers(trained(dropping, x)).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] as number, 6);
    });
  });

  test('gives each gate of an LSTM units of its own', () => {
    // With the candidate alone kept the state would not change: all four gates see other units.
    const built = modelOf(lstm({ units: 16, recurrentDropout: 0.5, returnSequences: true }), [3, 4]);
    const x = fromNumbers('float32', [1, 3, 4], ramp(12));
    expect(numbers(trained(built, x))).not.toEqual(numbers(trained(built, x, 1)));
  });

  test('convolutional cells drop, too', () => {
    const layer = layers.convLstm2d({
      filters: 2,
      kernelSize: 2,
      dropout: 0.5,
      recurrentDropout: 0.5,
      padding: 'same',
    });
    const built = modelOf(layer, [3, 3, 3, 1]);
    const x = fromNumbers('float32', [1, 3, 3, 3, 1], ramp(27));
    const y = trained(built, x);
    expect(y.shape).toEqual([1, 3, 3, 2]);
    expect(numbers(y)).not.toEqual(numbers(trained(built, x, 1)));
  });
});

describe('stateful layers', () => {
  const whole = fromNumbers('float32', [2, 6, 3], ramp(36));
  const part = (from: number, to: number): NestedNumbers =>
    [0, 1].map((row) =>
      Array.from({ length: to - from }, (_, step) =>
        numbers(whole).slice((row * 6 + from + step) * 3, (row * 6 + from + step + 1) * 3),
      ),
    );
  const create = (options: object): readonly (readonly [string, Layer])[] => [
    ['simpleRnn', simpleRnn({ units: 4, ...options })],
    ['lstm', lstm({ units: 4, ...options })],
    ['stacked cells', layers.rnn({ cell: [layers.lstmCell({ units: 3 }), layers.gruCell({ units: 4 })], ...options })],
    ['bidirectional', layers.bidirectional({ layer: layers.gru({ units: 4, ...options }) })],
    ['an activation without an op', layers.gru({ units: 4, activation: 'gelu', ...options })],
  ];
  const pairs = create({ stateful: true }).map(
    ([name, layer], index) => [name, layer, create({})[index]?.[1] as Layer] as const,
  );

  test.each(pairs.filter(([name]) => name !== 'bidirectional'))(
    '%s goes on where the batch before ended',
    async (_name, layer, plain) => {
      const remembering = modelOf(layer, [null, 3], 2);
      const forgetful = modelOf(plain, [null, 3]);
      forgetful.importKerasWeights(remembering.getKerasWeights());
      const predictor = await createPredictor(remembering, backend);
      const expected = (await (await createPredictor(forgetful, backend)).predict({ x: whole }))['y'];
      for (let pass = 0; pass < 2; pass++) {
        await predictor.predict({ x: part(0, 4) });
        const { y } = await predictor.predict({ x: part(4, 6) });
        numbers(y).forEach((value, index) => {
          expect(value).toBeCloseTo(numbers(expected)[index] as number, 6);
        });
        await predictor.resetStates();
      }
    },
  );

  test('both directions remember', async () => {
    const built = modelOf(pairs.find(([name]) => name === 'bidirectional')?.[1] as Layer, [null, 3], 2);
    expect(built.states.map(({ name }) => name)).toEqual([
      'bidirectional.forward.state_0',
      'bidirectional.backward.state_0',
    ]);
    const predictor = await createPredictor(built, backend);
    const first = numbers((await predictor.predict({ x: whole }))['y']);
    expect(numbers((await predictor.predict({ x: whole }))['y'])).not.toEqual(first);
  });

  test('need a fixed batch size', () => {
    expect(() => modelOf(lstm({ units: 2, stateful: true, name: 'memory' }), [4, 3])).toThrow(
      "lstm 'memory': is stateful, which needs a fixed batch size",
    );
    const built = sequential({ batchSize: 5, inputShape: [4, 3], layers: [lstm({ units: 2, stateful: true })] });
    expect(built.states[0]?.value.shape).toEqual([5, 2]);
  });

  test('remember in a model that is used as a layer', async () => {
    const inner = modelOf(simpleRnn({ units: 2, stateful: true, name: 'memory' }), [2, 3], 2);
    const outer = modelOf(layers.modelLayer(inner, { name: 'inner' }), [2, 3], 2);
    expect(outer.states.map(({ name }) => name)).toEqual(['inner.memory.state_0']);
    const predictor = await createPredictor(outer, backend);
    const first = numbers((await predictor.predict({ x: part(0, 2) }))['y']);
    expect(numbers((await predictor.predict({ x: part(0, 2) }))['y'])).not.toEqual(first);
  });
});

describe('weights', () => {
  test.each([
    ['simpleRnn', simpleRnn({ units: 64 }), 64 * 128 + 64],
    ['lstm', lstm({ units: 64 }), 4 * (64 * 128 + 64)],
    ['gru', layers.gru({ units: 64 }), 3 * (64 * 128 + 2 * 64)],
    ['gru, reset before', layers.gru({ units: 64, resetAfter: false }), 3 * (64 * 128 + 64)],
    ['bidirectional', layers.bidirectional({ layer: lstm({ units: 64 }) }), 8 * (64 * 128 + 64)],
  ])('%s has as many as in Keras', (_name, layer, count) => {
    expect(modelOf(layer, [null, 64]).parameterCount).toBe(count);
  });

  test('the bias of the forget gate begins with 1, the second block in Keras', () => {
    const [, , bias] = modelOf(lstm({ units: 2 }), [3, 1]).getKerasWeights();
    expect(numbers(bias)).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
    const plain = modelOf(lstm({ units: 2, unitForgetBias: false }), [3, 1]);
    expect(numbers(plain.getKerasWeights()[2])).toEqual(new Array(8).fill(0));
  });

  test('names, regularizers and constraints reach the stored weights', () => {
    const built = modelOf(
      lstm({
        units: 2,
        name: 'memory',
        kernelRegularizer: 'l2',
        recurrentConstraint: layers.maxNorm({ axis: 0 }),
        recurrentInitializer: 'glorotUniform',
      }),
      [3, 5],
    );
    expect(built.parameters).toMatchObject([
      { name: 'memory.kernel', value: { shape: [1, 8, 5] }, regularizer: { l2: 0.01 } },
      { name: 'memory.recurrentKernel', value: { shape: [1, 8, 2] }, constraint: { kind: 'maxNorm', axes: [2] } },
      { name: 'memory.bias', value: { shape: [1, 8] } },
    ]);
  });

  test('go through Keras’s layout and back', () => {
    const built = modelOf(layers.rnn({ cell: [layers.lstmCell({ units: 2 }), layers.gruCell({ units: 3 })] }), [4, 2]);
    const before = built.getWeights();
    built.importKerasWeights(built.getKerasWeights());
    expect(built.getWeights()).toEqual(before);
    expect(Object.keys(before)).toEqual(
      ['cell_0', 'cell_1'].flatMap((cell) =>
        ['kernel', 'recurrentKernel', 'bias'].map((each) => `rnn.${cell}.${each}`),
      ),
    );
  });

  test('timeDistributed keeps a frozen layer frozen', () => {
    const built = modelOf(layers.timeDistributed({ layer: layers.dense({ units: 2, trainable: false }) }), [4, 3]);
    expect(built.parameters.map(({ trainable }) => trainable)).toEqual([false, false]);
  });
});

describe('forms', () => {
  const ops = (built: Model): readonly string[] => built.graph.nodes.map(({ op }) => op);

  test('one op does a whole sequence where it can, a loop elsewhere', () => {
    expect(ops(modelOf(lstm({ units: 2 }), [4, 3]))).toContain('LSTM');
    expect(ops(modelOf(lstm({ units: 2, dropout: 0.5 }), [4, 3]))).not.toContain('Scan');
    const masked = sequential({ inputShape: [4, 3], layers: [layers.masking(), lstm({ units: 2 })] });
    expect(ops(masked)).toContain('LSTM');
    expect(ops(modelOf(lstm({ units: 2, activation: 'gelu' }), [4, 3]))).not.toContain('LSTM');
  });

  test('the loop multiplies the input outside', () => {
    const built = modelOf(lstm({ units: 2, activation: 'gelu' }), [null, 3]);
    const scan = built.graph.nodes.find(({ op }) => op === 'Scan');
    const body = scan?.attributes['body'] as Model['graph'];
    expect(body.nodes.filter(({ op }) => op === 'MatMul')).toHaveLength(1);
    expect(ops(built).filter((op) => op === 'MatMul')).toHaveLength(1);
  });

  test('sequences of any length run, and rows of any number', async () => {
    const built = modelOf(layers.bidirectional({ layer: layers.gru({ units: 2, returnSequences: true }) }), [null, 3]);
    const predictor = await createPredictor(built, backend);
    for (const [rows, steps] of [
      [1, 1],
      [3, 7],
    ] as const) {
      const { y } = await predictor.predict({ x: fromNumbers('float32', [rows, steps, 3], ramp(rows * steps * 3)) });
      expect(y?.shape).toEqual([rows, steps, 4]);
    }
  });

  test('rows of any number and length run with masks, each as it does alone', async () => {
    const built = sequential({
      inputShape: [null],
      layers: [
        layers.embedding({ inputDim: 9, outputDim: 3, maskZero: true }),
        layers.bidirectional({ layer: layers.gru({ units: 2, returnSequences: true }) }),
        lstm({ units: 2 }),
      ],
    });
    const predictor = await createPredictor(built, backend);
    const run = async (rows: NestedNumbers): Promise<readonly number[]> =>
      numbers((await predictor.predict(rows))['output']);
    const together = await run([
      [1, 2, 3, 4, 5],
      [6, 7, 0, 0, 0],
      [0, 8, 0, 1, 0],
      [0, 0, 0, 0, 0],
    ]);
    const alone = [...(await run([[1, 2, 3, 4, 5]])), ...(await run([[6, 7]])), ...(await run([[8, 1]])), 0, 0];
    together.forEach((value, index) => {
      expect(value).toBeCloseTo(alone[index] as number, 6);
    });
  });

  test('custom cells compute outside of the loop what they project', async () => {
    const cell = layers.customCell({
      stateSize: [2, [2]],
      project: ({ builder }, sequence) => builder.op('Mul', [sequence, builder.scalar(2, sequence.dtype)]),
      build(context, x, [sum, count]) {
        const { builder } = context;
        const scale = context.addWeight({ name: 'scale', shape: [2], initializer: 'ones' });
        const next = builder.op('Add', [sum, builder.op('Mul', [x, scale])]);
        const steps = builder.op('Add', [count, builder.scalar(1, x.dtype)]);
        return { output: builder.op('Div', [next, steps]), states: [next, steps] };
      },
    });
    const x = input({ shape: [3, 2] });
    const outputs = layers.rnn({ cell, returnSequences: true, returnState: true }).applyAll(layers.masking()(x));
    const built = model({ inputs: { x }, outputs: { mean: outputs[0] as never, sum: outputs[1] as never } });
    expect(built.parameters.map(({ name }) => name)).toEqual(['rnn.scale']);
    const results: TensorMap = await (await createPredictor(built, backend)).predict({
      x: [
        [
          [1, 2],
          [0, 0],
          [3, 4],
        ],
      ],
    });
    expect(numbers(results['mean'])).toEqual([2, 4, 2, 4, 4, 6]);
    expect(numbers(results['sum'])).toEqual([8, 12]);
    const last = modelOf(layers.rnn({ cell }), [3, 2]);
    const { y } = await (await createPredictor(last, backend)).predict({
      x: [
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      ],
    });
    expect(numbers(y)).toEqual([6, 8]);
  });
});

describe('errors name the layer', () => {
  const x = input({ shape: [4, 3] });
  const state = input({ shape: [2] });

  test.each([
    [() => lstm({ units: 0 }), 'lstm: units'],
    [() => simpleRnn({ units: 2, activation: 'tangent' as never }), "there is no activation 'tangent'"],
    [() => lstm({ units: 2, name: 'memory' })(input({ shape: [3] })), "lstm 'memory': takes [batch, time, …features]"],
    [() => lstm({ units: 2 })(x, state), 'has 2 states, 1 initial ones were given'],
    [() => lstm({ units: 2 })(input({ shape: [4, null] })), 'needs to know axis -1 of its input'],
    [() => layers.gru({ units: 2 })(input({ shape: [4, 3], dtype: 'int32' })), 'takes floating-point numbers'],
    [() => layers.rnn({ cell: layers.dense({ units: 2 }) as never }), 'rnn: cell takes cells: lstmCell({ units })'],
    [() => layers.rnn({ cell: [] }), 'rnn: there has to be at least one cell'],
    [
      () => layers.bidirectional({ layer: layers.dense({ units: 2 }) as never }),
      'bidirectional: takes recurrent layers',
    ],
    [
      () => layers.bidirectional({ layer: lstm({ units: 2 }), backwardLayer: lstm({ units: 2 }) }),
      'bidirectional: its layers must go opposite ways',
    ],
    [
      () =>
        layers.bidirectional({
          layer: lstm({ units: 2, returnSequences: true }),
          backwardLayer: lstm({ units: 2, goBackwards: true }),
        }),
      'bidirectional: its layers differ in returnSequences',
    ],
    [
      () => layers.bidirectional({ layer: lstm({ units: 2 }), mergeMode: 'join' as never }),
      "there is no mergeMode 'join'",
    ],
    [() => layers.convLstm2d({ filters: 2, kernelSize: 2 })(x), 'takes [batch, time, height, width, channels]'],
  ])('%#', (act, message) => {
    expect(act).toThrow(message);
  });
});
