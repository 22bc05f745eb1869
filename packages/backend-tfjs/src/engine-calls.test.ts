import { conformancePrograms } from '@modelwright/backend-conformance';
import { createReferenceBackend, toNumbers } from '@modelwright/core';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, expect, test } from 'vitest';
import { createTfjsBackend } from './backend.js';

beforeAll(async () => {
  await tf.setBackend('wasm');
  await tf.setBackend('cpu');
});

// How the backends are driven whose kernels need tfjs's engine, as tfjs-node's do.
test.each(conformancePrograms().map((each) => [each.name, each] as const))(
  '%s through the engine equals the reference, and leaves no tensors',
  async (_, { program, inputs }) => {
    const expected = await (await createReferenceBackend().compile(program)).run(inputs(0));
    const before = tf.memory().numTensors;
    for (const backendName of ['cpu', 'wasm']) {
      const backend = createTfjsBackend(tf, { backend: backendName, calls: 'engine' });
      const executable = await backend.compile(program);
      const results = await executable.run(inputs(0));
      for (const [name, tensor] of Object.entries(expected)) {
        const wanted = toNumbers(tensor);
        const given = toNumbers(results[name] as typeof tensor);
        expect(Math.max(...given.map((value, at) => Math.abs(value - (wanted[at] as number))))).toBeLessThan(1e-3);
      }
      await backend.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.getBackend()).toBe('cpu');
  },
);
