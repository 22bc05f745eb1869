/** Runs a small network on the profiling backend and prints where the time goes. */
import { createPredictor, zeros } from '@modelwright/core';
import { conv2d, dense, flatten, maxPooling2d, sequential } from '@modelwright/models';
import { createBackend } from './profiling-backend.js';

const model = sequential({
  inputShape: [28, 28, 1],
  layers: [
    conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dense({ units: 10, activation: 'softmax' }),
  ],
});
const backend = createBackend();
const predictor = await createPredictor(model, backend);
for (let run = 0; run < 5; run++) await predictor.predict(zeros('float32', [4, 28, 28, 1]));
const rows = [...backend.profile].sort(([, a], [, b]) => b - a);
console.table(rows.map(([op, milliseconds]) => ({ op, 'ms of 5 runs': Number(milliseconds.toFixed(2)) })));
