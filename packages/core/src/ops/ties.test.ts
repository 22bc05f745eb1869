import { describe, expect, test } from 'vitest';
import { backpropagate } from '../gradient/backpropagate.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { tensor, toNumbers } from '../tensor/tensor.js';

/** `Σ y` by each of the operands, at points where calculus leaves the gradient open. */
function gradientsAt(
  points: readonly (readonly number[])[],
  build: (b: GraphBuilder, x: readonly Value[]) => Value,
): number[][] {
  const builder = new GraphBuilder();
  const operands = points.map((point, index) => builder.input(`x${index}`, 'float64', [point.length]));
  const gradients = backpropagate(builder, [{ value: build(builder, operands) }], operands);
  gradients.forEach((gradient, index) => {
    builder.output(`dx${index}`, gradient);
  });
  const fed = points.map((point, index) => [`x${index}`, tensor(point, { dtype: 'float64' })] as const);
  const results = evaluateGraph(builder.build(), Object.fromEntries(fed));
  return Object.values(results).map((result) => [...toNumbers(result)]);
}

describe('ties are shared equally', () => {
  test.each(['ReduceMax', 'ReduceMin'] as const)('%s', (op) => {
    const sign = op === 'ReduceMax' ? 1 : -1;
    const point = [2, 1, 2, 0, 2, 2].map((x) => sign * x);
    expect(gradientsAt([point], (b, [x]) => b.op(op, [x]))).toEqual([[0.25, 0, 0.25, 0, 0.25, 0.25]]);
  });

  test.each(['Max', 'Min'] as const)('%s', (op) => {
    expect(gradientsAt([[1], [1], [1], [1]], (b, x) => b.op(op, x))).toEqual([[0.25], [0.25], [0.25], [0.25]]);
  });
});

describe('kinks have a stated slope', () => {
  test('Abs at 0 is flat', () => {
    expect(gradientsAt([[0, 0]], (b, [x]) => b.op('Abs', [x]))).toEqual([[0, 0]]);
  });

  test('ReduceL2 of zeros is flat', () => {
    expect(gradientsAt([[0, 0, 0]], (b, [x]) => b.op('ReduceL2', [x]))).toEqual([[0, 0, 0]]);
  });

  test('Clip passes at both bounds', () => {
    const bounds = (b: GraphBuilder): Value[] => [b.scalar(-1, 'float64'), b.scalar(1, 'float64')];
    expect(gradientsAt([[-1.5, -1, 0, 1, 1.5]], (b, [x]) => b.op('Clip', [x, ...bounds(b)]))).toEqual([
      [0, 1, 1, 1, 0],
    ]);
  });

  test('Relu is flat at 0', () => {
    expect(gradientsAt([[0, -0, 1]], (b, [x]) => b.op('Relu', [x]))).toEqual([[0, 0, 1]]);
  });

  test('ReduceProd needs no division by its zeros', () => {
    expect(gradientsAt([[2, 0, 3]], (b, [x]) => b.op('ReduceProd', [x]))).toEqual([[0, 6, 0]]);
    expect(gradientsAt([[0, 0, 3]], (b, [x]) => b.op('ReduceProd', [x]))).toEqual([[0, 0, 0]]);
  });
});
