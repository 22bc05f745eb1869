/** A whole server in memory, with the smallest of models, for the tests of protocols. */
import { createReferenceBackend, fromNumbers, GraphBuilder, Model } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import type { Hono } from 'hono';
import { createApp } from '../app/create-app.js';
import type { Hub } from '../contract/hub.js';
import type { Route } from '../contract/route.js';
import { createHub } from '../hub/create-hub.js';
import { memoryRepository } from '../repository/memory-repository.js';
import { createServedModel } from '../serving/create-served-model.js';

/** `y = x · w`: `[batch, 2]` to `[batch, 3]`, with 1…6 in `w`. */
function linear(): Model {
  const builder = new GraphBuilder('linear');
  const x = builder.input('x', 'float32', ['batch', 2]);
  const w = builder.constant(fromNumbers('float32', [2, 3], [1, 2, 3, 4, 5, 6]), { name: 'w' });
  builder.output('y', builder.op('MatMul', [x, w]));
  return new Model({ name: 'linear', graph: builder.build(), parameters: [] });
}

/** Gives back what it is given, of three types. */
function echo(): Model {
  const builder = new GraphBuilder('echo');
  for (const [name, dtype] of [
    ['long', 'int64'],
    ['half', 'float16'],
    ['text', 'string'],
  ] as const) {
    builder.output(`${name}_out`, builder.op('Identity', [builder.input(name, dtype, [`${name}s`])]));
  }
  return new Model({ name: 'echo', graph: builder.build(), parameters: [] });
}

/** Serves `linear` and `echo` on `routes`. */
export async function startService(routes: readonly Route[]): Promise<{ readonly app: Hono; readonly hub: Hub }> {
  const repository = memoryRepository({
    linear: { configuration: { maxBatchSize: 8 }, versions: { 1: writeOnnx(linear()).bytes } },
    echo: { configuration: { maxBatchSize: 0 }, versions: { 1: writeOnnx(echo()).bytes, 3: writeOnnx(echo()).bytes } },
  });
  const hub = await createHub(repository, { backend: createReferenceBackend(), createServedModel });
  return { app: createApp({ hub, routes }), hub };
}
