import { describeBackend } from '@modelwright/backend-conformance';
import { isModelwrightError } from '@modelwright/core';
import { expect, test } from 'vitest';
import { createBackend } from '../backend.js';
import { knownLimits } from '../known-limits.js';
import { createNativeDeviceBackend } from './cuda-backend.js';

// CPU memory stands in for a GPU's: the same lowering, IO binding and state that stays with the provider.
const cpuMemory = { device: 'cpu-memory', memoryName: 'Cpu', deviceId: 0, append: () => undefined };

describeBackend('onnxruntime, IO binding as for CUDA', {
  create: () => createNativeDeviceBackend(cpuMemory, { cpuFallback: true, sessionOptions: {} }),
  knownFailures: knownLimits,
});

test.each(['cuda', 'dml', 'coreml', 'tensorrt'])(
  '%s says why it does not open, and never becomes the CPU',
  async (device) => {
    const opened = await createBackend({ device }).catch((error: unknown) => error);
    if (isModelwrightError(opened)) {
      expect(opened.code).toBe('backend-unavailable');
      expect(opened.message).toContain(`device '${device}'`);
      expect(opened.details.hint).toBeTruthy();
    } else {
      expect((opened as { device: string }).device).toBe(device);
    }
  },
);
