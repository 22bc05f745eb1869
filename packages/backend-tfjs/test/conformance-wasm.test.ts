import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { createTfjsBackend } from '../src/index.js';
import { knownLimits } from '../src/known-limits.js';
import { describeOpCases } from './op-cases.js';

describeOpCases(async () => {
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${dirname(main)}/`);
  await tf.setBackend('wasm');
  return createTfjsBackend(tf);
}, knownLimits.wasm);
