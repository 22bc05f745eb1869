import { describeBackend } from '@modelwright/backend-conformance';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { createTfjsBackend } from './backend.js';
import { knownLimits } from './known-limits.js';

describeBackend('tfjs, cpu kernels', {
  create: async () => {
    await tf.setBackend('cpu');
    return createTfjsBackend(tf);
  },
  knownFailures: knownLimits,
});
