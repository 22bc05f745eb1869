import { expect, test } from 'vitest';
import type { Graph, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { createReferenceBackend } from '../reference/reference-backend.js';
import { fromNumbers, Tensor, type TensorMap, tensor, toNumbers } from '../tensor/tensor.js';
import { verify } from '../verify.js';
import { isBlockQuantized } from './block-quantized.js';
import { decompose } from './decompose.js';
import { foldConstants } from './fold-constants.js';

const [rows, columns, blockSize, blocks] = [3, 40, 32, 2];

interface Form {
  readonly bits: 4 | 8;
  readonly hasZeroPoints: boolean;
}

const codeAt = (row: number, column: number, bits: number): number => (row * 13 + column * 7) % 2 ** bits;
const zeroPointAt = (row: number, block: number): number => 3 + row + block;
const scaleAt = (row: number, block: number): number => 0.25 * (row + 1) * (block === 0 ? 1 : -1);

function weightAt(row: number, column: number, { bits, hasZeroPoints }: Form): number {
  const block = Math.floor(column / blockSize);
  const zero = hasZeroPoints ? zeroPointAt(row, block) : 2 ** (bits - 1);
  return (codeAt(row, column, bits) - zero) * scaleAt(row, block);
}

/** Two 4-bit codes a byte, the first in the lower half. */
function pack(width: number, bits: 4 | 8, at: (row: number, column: number) => number): Uint8Array {
  const bytes = Math.ceil((width * bits) / 8);
  const packed = new Uint8Array(rows * bytes);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < width; column++) {
      const place = row * bytes + Math.floor((column * bits) / 8);
      packed[place] = (packed[place] as number) | (at(row, column) << (bits === 4 && column % 2 === 1 ? 4 : 0));
    }
  return packed;
}

function graphWith(op: 'MatMulNBits' | 'GatherBlockQuantized', form: Form): Graph {
  const { bits } = form;
  const builder = new GraphBuilder('blocks');
  const width = blocks * blockSize;
  const data = pack(width, bits, (row, column) => (column < columns ? codeAt(row, column, bits) : 0));
  const isProduct = op === 'MatMulNBits';
  const shape = isProduct ? [rows, blocks, (blockSize * bits) / 8] : [rows, (width * bits) / 8];
  const codes = builder.constant(new Tensor('uint8', shape, data));
  const grid = Array.from({ length: rows * blocks }, (_, at) => scaleAt(Math.floor(at / blocks), at % blocks));
  const scales = builder.constant(fromNumbers('float32', [rows, blocks], grid));
  const zeros = pack(blocks, bits, zeroPointAt);
  const zeroPoints = form.hasZeroPoints
    ? builder.constant(new Tensor('uint8', [rows, zeros.length / rows], zeros))
    : undefined;
  const input = isProduct ? builder.input('x', 'float32', ['n', columns]) : builder.input('x', 'int64', ['n']);
  const bias = isProduct ? builder.constant([1, 2, 3]) : undefined;
  const [y] = builder.foreign({
    op,
    domain: 'com.microsoft',
    inputs: isProduct ? [input, codes, scales, zeroPoints, undefined, bias] : [codes, input, scales, zeroPoints],
    attributes: isProduct
      ? { K: columns, N: rows, bits, block_size: blockSize }
      : { gather_axis: 0, quantize_axis: 1, bits, block_size: blockSize },
    outputs: [{ dtype: 'float32', shape: ['n', isProduct ? rows : width] }],
  });
  builder.output('y', y as Value);
  return builder.build();
}

const forms: readonly Form[] = ([4, 8] as const).flatMap((bits) =>
  [false, true].map((hasZeroPoints): Form => ({ bits, hasZeroPoints })),
);

test.each(forms)('a product with $bits bits, zero points $hasZeroPoints, in ONNX ops', async (form) => {
  const graph = graphWith('MatMulNBits', form);
  const x = Array.from({ length: 2 * columns }, (_, at) => Math.sin(at));
  const inputs: TensorMap = { x: fromNumbers('float32', [2, columns], x) };
  const stored = toNumbers(inputs['x'] as Tensor);
  const wanted = [0, 1].flatMap((n) =>
    [0, 1, 2].map((row) => {
      let sum = row + 1;
      for (let k = 0; k < columns; k++) sum += (stored[n * columns + k] as number) * weightAt(row, k, form);
      return sum;
    }),
  );
  const simpler = foldConstants.run(decompose(isBlockQuantized).run(graph));
  verify(simpler);
  expect(simpler.nodes.map(({ op }) => op)).toEqual(['MatMul', 'Add']);
  const executable = await createReferenceBackend().compile({ graph, state: [] });
  for (const { y } of [evaluateGraph(graph, inputs), evaluateGraph(simpler, inputs), await executable.run(inputs)]) {
    toNumbers(y as Tensor).forEach((value, at) => {
      expect(value).toBeCloseTo(wanted[at] as number, 4);
    });
  }
});

test.each(forms)('rows of a table with $bits bits, zero points $hasZeroPoints', (form) => {
  const { y } = evaluateGraph(graphWith('GatherBlockQuantized', form), { x: tensor([2, 0], { dtype: 'int64' }) });
  const width = blocks * blockSize;
  const given = toNumbers(y as Tensor);
  [2, 0].forEach((row, at) => {
    for (let column = 0; column < columns; column++)
      expect(given[at * width + column]).toBe(weightAt(row, column, form));
  });
});
