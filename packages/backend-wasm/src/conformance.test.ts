import { describeBackend } from '@modelwright/backend-conformance';
import { createBackend } from './create-backend.js';
import { knownLimits } from './known-limits.js';

describeBackend('wasm', { create: () => createBackend(), knownFailures: knownLimits });
