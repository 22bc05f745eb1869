import { conv2d, dense, embedding, flatten, lstm, sequential } from '@modelwright/models';
import { expect, test } from 'vitest';
import { weightedNodes } from './weighted-nodes.js';

const found = (model: ReturnType<typeof sequential>): unknown[] =>
  weightedNodes(model.graph).map(({ node, value, weight, outputAxis, inputAxis }) => [
    node.op,
    value.name,
    weight.shape[outputAxis],
    weight.shape[inputAxis],
  ]);

test('convolutions and dense layers with their channels', () => {
  const layers = [conv2d({ filters: 5, kernelSize: 3 }), flatten(), dense({ units: 4 })];
  expect(found(sequential({ inputShape: [6, 6, 2], layers }))).toEqual([
    ['Conv', 'conv2d.kernel', 5, 2],
    ['Gemm', 'dense.kernel', 4, 80],
  ]);
});

test('embeddings and both weights of recurrent layers', () => {
  const layers = [embedding({ inputDim: 9, outputDim: 3 }), lstm({ units: 2 })];
  const all = found(sequential({ inputShape: [7], inputDType: 'int32', layers }));
  expect(all[0]).toEqual(['Gather', 'embedding.embeddings', 3, 9]);
  expect(all.slice(1).map((each) => (each as unknown[])[0])).toEqual(['LSTM', 'LSTM']);
});
