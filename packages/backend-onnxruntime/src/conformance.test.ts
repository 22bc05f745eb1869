import { describeBackend } from '@modelwright/backend-conformance';
import { createBackend } from './backend.js';
import { knownLimits } from './known-limits.js';

for (const engine of ['native', 'binding'] as const) {
  describeBackend(`onnxruntime, ${engine} engine`, {
    create: () => createBackend({ engine }),
    knownFailures: knownLimits,
  });
}
