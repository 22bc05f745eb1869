import { createBackend } from '@modelwright/backend-onnxruntime';
import { type Backend, verify } from '@modelwright/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { optimizeGraph } from './optimize-graph.js';
import { opsOf, randomStatistics } from './same-outputs.cases.js';
import { zoo } from './zoo.cases.js';

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend();
});
afterAll(async () => {
  await backend.dispose();
});

test.each(zoo.filter(([name]) => ['resnet 20', 'denseNet', 'dcgan generator'].includes(name)))(
  '%s of the zoo computes the same with fewer nodes',
  async (_, make) => {
    const model = randomStatistics(make());
    const notes: string[] = [];
    const small = await optimizeGraph(model, {
      check: { backend, tolerance: 1e-5 },
      onNote: (note) => notes.push(note),
    });
    verify(small.graph);
    expect(opsOf(small).filter((op) => ['BatchNormalization', 'Mul', 'Dropout'].includes(op))).toEqual([]);
    expect(small.graph.nodes.length).toBeLessThan(0.6 * model.graph.nodes.length);
    expect(notes.at(-1)).toMatch(/^checked on 1 sample/);
  },
);
