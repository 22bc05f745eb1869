import { describeBackend } from '@modelwright/backend-conformance';
import { createBackend } from '../backend.js';
import { webLimits } from './web-limits.js';

describeBackend('onnxruntime-web, wasm', {
  create: () => createBackend({ device: 'wasm' }),
  knownFailures: webLimits,
});
