import { GraphBuilder, statelessProgram, tensor } from '@modelwright/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { createBackend } from './create-backend.js';
import { describeThreads } from './threads.js';

test('finds its binary in Node, says why it has one thread, and leaves tfjs and the process as they were', async () => {
  const listeners = process.listeners('uncaughtException').length;
  const [one, other] = await Promise.all([createBackend(), createBackend({ device: 'cpu' })]);
  expect([one.name, one.device, one.capabilities.threads]).toEqual(['wasm', 'cpu', 1]);
  expect(one.threading.note).toMatch(/Node/);
  expect(process.listeners('uncaughtException')).toHaveLength(listeners);
  expect(tf.engine().backendName).toBe('wasm');
  await one.dispose();
  await one.dispose();
  const builder = new GraphBuilder('double');
  const x = builder.input('x', 'float32', ['batch']);
  builder.output('y', builder.op('Add', [x, x]));
  // Another backend goes on: they share the instance, not the values.
  const executable = await other.compile(statelessProgram(builder.build()));
  expect((await executable.run({ x: tensor([1, 2, 3]) }))['y']).toEqual(tensor([2, 4, 6]));
  await other.dispose();
  await expect(other.compile(statelessProgram(builder.build()))).rejects.toMatchObject({ code: 'resource-disposed' });
});

test('other devices are refused', async () => {
  await expect(createBackend({ device: 'cuda' })).rejects.toMatchObject({ code: 'backend-unavailable' });
});

test('the note on threads tells what a page would need', () => {
  expect(describeThreads(1, { crossOriginIsolated: false }).note).toMatch(/Cross-Origin-Opener-Policy/);
  expect(describeThreads(1, { crossOriginIsolated: true }).note).toMatch(/browser/);
  expect(describeThreads(4, { crossOriginIsolated: true }).note).toBeUndefined();
});

test('an integer that int32 cannot hold is refused where a kernel needs it, and exact elsewhere', async () => {
  const backend = await createBackend();
  const builder = new GraphBuilder('integers');
  const x = builder.input('x', 'int64', [1]);
  builder.output('sum', builder.op('Add', [x, x]));
  const sum = await backend.compile(statelessProgram(builder.build()));
  const large = tensor([2n ** 61n], { dtype: 'int64' });
  expect((await sum.run({ x: large }))['sum']?.data[0]).toBe(2n ** 62n);
  await backend.dispose();
});
