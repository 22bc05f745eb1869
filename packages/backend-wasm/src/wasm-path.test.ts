import { createRequire } from 'node:module';
import { GraphBuilder, statelessProgram, tensor } from '@modelwright/core';
import { expect, test } from 'vitest';
import { createBackend } from './create-backend.js';

test('of the places of binaries only the one that is loaded is needed', async () => {
  const file = 'tfjs-backend-wasm-simd.wasm';
  await expect(createBackend({ wasmPath: { 'tfjs-backend-wasm.wasm': '/nowhere' } })).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining(file),
  });
  const place = createRequire(import.meta.url).resolve(`@tensorflow/tfjs-backend-wasm/dist/${file}`);
  const backend = await createBackend({ wasmPath: { [file]: place } });
  const builder = new GraphBuilder('double');
  const x = builder.input('x', 'float32', [2]);
  builder.output('y', builder.op('Add', [x, x]));
  const executable = await backend.compile(statelessProgram(builder.build()));
  expect((await executable.run({ x: tensor([1, 2]) }))['y']).toEqual(tensor([2, 4]));
  await backend.dispose();
});
