import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackend } from '@modelwright/backend-onnxruntime';
import type { Backend } from '@modelwright/core';
import { dense, input, model } from '@modelwright/models';
import { writeOnnx } from '@modelwright/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, serve } from './serve.js';

let backend: Backend;
let folder: string;
let server: RunningServer;

beforeAll(async () => {
  backend = await createBackend();
  folder = await mkdtemp(join(tmpdir(), 'models-'));
  const x = input({ shape: [4], name: 'x' });
  const tiny = model({ inputs: x, outputs: dense({ units: 3, name: 'y' })(x), name: 'tiny' });
  await writeFile(join(folder, 'tiny.onnx'), writeOnnx(tiny).bytes);
  server = await serve({ models: folder, backend, port: 0 });
});

afterAll(async () => {
  await server.close(1000);
  await backend.dispose();
  await rm(folder, { recursive: true });
});

describe('serve', () => {
  it('answers for a folder of models', async () => {
    const body = JSON.stringify({ inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }] });
    const response = await fetch(`${server.url}/v2/models/tiny/infer`, { method: 'POST', body });
    const answer = await response.json();
    expect(answer).toMatchObject({ model_name: 'tiny', outputs: [{ shape: [1, 3], datatype: 'FP32' }] });
  });
});
