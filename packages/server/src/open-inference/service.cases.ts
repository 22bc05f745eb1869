/** A whole server in memory, with the smallest of models, for the tests of protocols. */
import { createReferenceBackend, fromNumbers, GraphBuilder, Model, Tensor } from '@modelwright/core';
import { type Processing, processingKey } from '@modelwright/deployment';
import { writeOnnx } from '@modelwright/onnx';
import type { Hono } from 'hono';
import { createApp } from '../app/create-app.js';
import type { Hub } from '../contract/hub.js';
import type { Route } from '../contract/route.js';
import { createHub, type HubOptions } from '../hub/create-hub.js';
import { type MemoryRepository, memoryRepository } from '../repository/memory-repository.js';
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

/** How bright a picture of 8 × 8 is, as two labels. */
function brightness(): Model {
  const builder = new GraphBuilder('brightness');
  const picture = builder.input('picture', 'float32', ['batch', 1, 8, 8]);
  const axes = builder.constant(new Tensor('int64', [3], BigInt64Array.of(1n, 2n, 3n)), { name: 'axes' });
  const mean = builder.op('ReduceMean', [picture, axes], { keepdims: 0 });
  const one = builder.constant(new Tensor('int64', [2], BigInt64Array.of(-1n, 1n)), { name: 'shape' });
  builder.output('light', builder.op('Reshape', [mean, one]));
  const processing: Processing = {
    inputs: { picture: { kind: 'image', width: 8, height: 8, channels: 1, layout: 'channelsFirst' } },
    outputs: { light: { kind: 'labels', labels: ['dark', 'bright'] } },
  };
  const metadata = { [processingKey]: JSON.stringify(processing) };
  return new Model({ name: 'brightness', graph: builder.build(), parameters: [], metadata });
}

/** `linear`, `echo` and `brightness` in memory. */
export function serviceModels(): MemoryRepository {
  return memoryRepository({
    linear: { configuration: { maxBatchSize: 8 }, versions: { 1: writeOnnx(linear()).bytes } },
    echo: { configuration: { maxBatchSize: 0 }, versions: { 1: writeOnnx(echo()).bytes, 3: writeOnnx(echo()).bytes } },
    brightness: { versions: { 1: writeOnnx(brightness()).bytes } },
  });
}

/** Serves {@link serviceModels} on `routes`. */
export async function startService(
  routes: readonly Route[],
  options: Partial<HubOptions> = {},
): Promise<{ readonly app: Hono; readonly hub: Hub }> {
  const hub = await createHub(serviceModels(), { backend: createReferenceBackend(), createServedModel, ...options });
  return { app: createApp({ hub, routes, ...(options.access === undefined ? {} : { access: options.access }) }), hub };
}
