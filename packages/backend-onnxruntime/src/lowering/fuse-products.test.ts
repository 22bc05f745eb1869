import {
  createReferenceBackend,
  fromNumbers,
  type Graph,
  GraphBuilder,
  statelessProgram,
  toNumbers,
  verify,
} from '@modelwright/core';
import { afterAll, expect, it } from 'vitest';
import { createBackend } from '../backend.js';
import { fuseProducts } from './fuse-products.js';

const runtime = createBackend();
afterAll(async () => (await runtime).dispose());

/** A scaled query with its heads moved, times a transposed key; and the key, transposed twice, times the scores. */
function products(): Graph {
  const builder = new GraphBuilder('products');
  const query = builder.input('query', 'float32', [2, 3, 8]);
  const key = builder.input('key', 'float32', [2, 2, 5, 4]);
  const scaled = builder.op('Mul', [query, builder.scalar(0.5, 'float32')]);
  const split = builder.op('Reshape', [scaled, builder.integers([0, 0, 2, 4])]);
  const q = builder.op('Transpose', [split], { perm: [0, 2, 1, 3] });
  const swapped = builder.op('Transpose', [key], { perm: [0, 1, 3, 2] });
  const scores = builder.op('MatMul', [q, swapped]);
  const tripled = builder.op('Mul', [scores, builder.scalar(3, 'float32')]);
  const back = builder.op('Transpose', [swapped], { perm: [0, 1, 3, 2] });
  builder.output('scores', scores);
  builder.output('mixed', builder.op('MatMul', [tripled, back]));
  builder.output('turned', builder.op('MatMul', [builder.op('Transpose', [tripled], { perm: [0, 1, 3, 2] }), q]));
  return builder.build();
}

const wave = (shape: readonly number[]) => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, (_, index) => Math.sin(index)),
  );
};

it('takes transposes and factors into the products that read them', async () => {
  const graph = products();
  const fused = fuseProducts(graph);
  verify(fused);
  const settings = fused.nodes
    .filter(({ op }) => op === 'FusedMatMul')
    .map(({ attributes: { transA, transB, alpha } }) => [transA, transB, alpha]);
  expect(settings).toEqual([
    [0, 1, 0.5],
    [0, 0, 3],
    [1, 0, 1.5],
  ]);
  expect(fused.nodes.some(({ op }) => op === 'MatMul')).toBe(false);
  const inputs = { query: wave([2, 3, 8]), key: wave([2, 2, 5, 4]) };
  const [expected, given] = await Promise.all(
    [createReferenceBackend(), await runtime].map(async (backend) => {
      const executable = await backend.compile(statelessProgram(graph));
      return executable.run(inputs);
    }),
  );
  for (const name of ['scores', 'mixed', 'turned']) {
    const numbers = toNumbers(given?.[name] as never);
    toNumbers(expected?.[name] as never).forEach((number, index) => {
      expect(numbers[index], `${name}[${index}]`).toBeCloseTo(number, 4);
    });
  }
});
