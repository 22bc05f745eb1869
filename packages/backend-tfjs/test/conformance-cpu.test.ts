import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { createTfjsBackend } from '../src/index.js';
import { knownLimits } from '../src/known-limits.js';
import { describeOpCases } from './op-cases.js';

describeOpCases(async () => {
  await tf.setBackend('cpu');
  return createTfjsBackend(tf);
}, knownLimits.cpu);
