import { createReferenceBackend, GraphBuilder, Model, print, tensor, toNumbers } from '@modelwright/core';
import { expect, test } from 'vitest';
import { toLoss } from '../losses/loss-by-name.js';
import { toMetric } from '../metrics/metric-by-name.js';
import { adam } from '../optimizers/adam.js';
import { feedsOf, signatureOf } from './batch-signature.js';
import { trainingProgram } from './training-program.js';

test('smoke', async () => {
  const b = new GraphBuilder('m');
  const x = b.input('x', 'float32', ['batch', 3]);
  const w = b.constant(
    tensor([
      [0.1, 0.2],
      [0.3, -0.4],
      [0.5, 0.6],
    ]),
    { name: 'dense.kernel' },
  );
  const bias = b.constant(tensor([0, 0]), { name: 'dense.bias' });
  const y = b.op('Softmax', [b.op('Gemm', [x, w, bias])], { axis: -1 });
  b.output('probabilities', y);
  const model = new Model({
    name: 'm',
    graph: b.build(),
    parameters: [
      { name: 'dense.kernel', value: w, trainable: true, role: 'weight', regularizer: { l2: 0.01 } },
      { name: 'dense.bias', value: bias, trainable: true, role: 'weight' },
    ],
  });
  const batch = {
    inputs: {
      x: tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    },
    targets: { probabilities: tensor([0, 1], { dtype: 'int32' }) },
    sampleWeights: {},
  };
  const p = trainingProgram(
    {
      model,
      objectives: [
        {
          output: 'probabilities',
          loss: toLoss('sparseCategoricalCrossentropy'),
          weight: 1,
          metrics: [toMetric('accuracy')],
          prefix: '',
        },
      ],
      optimizer: adam(),
      extensions: [],
      seed: 1,
    },
    signatureOf(batch),
    'update',
  );
  console.log(print(p.graph));
  const e = await createReferenceBackend().compile(p);
  for (let i = 0; i < 5; i++) {
    const r = await e.run({ ...feedsOf(batch), learningRate: tensor(0.1, { dtype: 'float64' }) });
    console.log(toNumbers(r['loss']!)[0], Object.fromEntries(Object.entries(r).map(([k, v]) => [k, toNumbers(v)[0]])));
  }
  expect(1).toBe(1);
});
