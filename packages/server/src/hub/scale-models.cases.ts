/** Models that tell by their answer which of them was asked. */
import { fromNumbers, GraphBuilder, Model, Tensor, type TensorMap } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import type { Caller } from '../contract/hub.js';

/** `y = factor · x`, `[batch, 2]`; `paddingCount` more weights make it larger. */
export function scale(factor: number, paddingCount = 0): Uint8Array {
  const builder = new GraphBuilder('scale');
  const x = builder.input('x', 'float32', ['batch', 2]);
  const w = builder.constant(fromNumbers('float32', [1], [factor]), { name: 'w' });
  builder.output('y', builder.op('Mul', [x, w]));
  if (paddingCount > 0) {
    const padding = builder.constant(new Tensor('float32', [paddingCount], new Float32Array(paddingCount)), {
      name: 'padding',
    });
    builder.output('z', builder.op('ReduceSum', [padding], { keepdims: 0 }));
  }
  return writeOnnx(new Model({ name: 'scale', graph: builder.build(), parameters: [] })).bytes;
}

/** Two examples of ones. */
export const ones: TensorMap = { x: new Tensor('float32', [2, 2], Float32Array.of(1, 1, 1, 1)) };

/** A caller of whom nothing is known. */
export const someone: Caller = {
  principal: { id: 'someone', kind: 'key', roles: [] },
  requestId: 'request-1',
  protocol: 'test',
};
