import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { GraphBuilder, statelessProgram, tensor } from '@modelwright/core';
import { expect, test } from 'vitest';
import { createBackend } from './create-backend.js';

test('starts on a module that the platform has compiled', async () => {
  const place = createRequire(import.meta.url).resolve(
    '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm',
  );
  const wasmModule = await WebAssembly.compile(readFileSync(place));
  // A module that is not tfjs's says so, and does not stand in the way of the right one.
  const empty = await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  await expect(createBackend({ wasmModule: empty })).rejects.toMatchObject({ code: 'backend-unavailable' });
  const backend = await createBackend({ wasmModule });
  const builder = new GraphBuilder('product');
  const x = builder.input('x', 'float32', [2, 2]);
  builder.output('y', builder.op('MatMul', [x, x]));
  const executable = await backend.compile(statelessProgram(builder.build()));
  const x4 = tensor([1, 2, 3, 4], { shape: [2, 2] });
  expect((await executable.run({ x: x4 }))['y']?.data).toEqual(new Float32Array([7, 10, 15, 22]));
  await backend.dispose();
});
