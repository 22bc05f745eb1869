import { evaluateGraph, GraphBuilder, tensor, toNumbers, type Value } from '@modelwright/core';
import { expect, test } from 'vitest';
import { lastLogits } from './last-logits.js';

const x = tensor([
  [
    [0.5, -1],
    [2, 0.25],
    [1, 1],
  ],
  [
    [-0.5, 3],
    [0, 1],
    [4, -2],
  ],
]);
const lengths = tensor([3, 1], { dtype: 'int64' });

/** Builds the last place of what `make` makes, and gives it beside the whole. */
function build(make: (builder: GraphBuilder, x: Value) => Value): { picked: number[]; whole: number[]; ops: string[] } {
  const builder = new GraphBuilder('test');
  const input = builder.input('x', 'float32', [2, 'time', 2]);
  const counts = builder.input('lengths', 'int64', [2]);
  const whole = make(builder, input);
  builder.output('whole', whole);
  builder.output('picked', lastLogits(builder, whole, counts));
  const graph = builder.build();
  const results = evaluateGraph(graph, { x, lengths });
  const numbers = [...toNumbers(results['whole'] as typeof x)];
  const size = numbers.length / 6;
  const after = graph.nodes.slice(graph.nodes.findIndex(({ op }) => op === 'GatherND') + 1);
  return {
    picked: [...toNumbers(results['picked'] as typeof x)],
    whole: [...numbers.slice(2 * size, 3 * size), ...numbers.slice(3 * size, 4 * size)],
    ops: after.map(({ op }) => op),
  };
}

test('picks first and computes then, where each place stands for itself', () => {
  const { picked, whole, ops } = build((builder, input) => {
    const normalized = builder.op('LayerNormalization', [input, builder.constant([1.5, 2])], { axis: 2 });
    const table = builder.op('Transpose', [
      builder.constant([
        [1, 2],
        [3, 4],
        [5, -6],
      ]),
    ]);
    return builder.op('Add', [builder.constant([0.5, 0, 1]), builder.op('MatMul', [normalized, table])]);
  });
  expect(ops).toEqual(['LayerNormalization', 'MatMul', 'Add']);
  for (const [index, value] of picked.entries()) expect(value).toBeCloseTo(whole[index] as number, 6);
});

test('picks last where places may have met', () => {
  const { picked, whole, ops } = build((builder, input) =>
    builder.op('Add', [input, builder.op('CumSum', [input, builder.scalar(1, 'int64')])]),
  );
  expect(ops).toEqual([]);
  expect(picked).toEqual(whole);
});

test('takes logits before a softmax', () => {
  const { picked } = build((builder, input) => builder.op('Softmax', [input], { axis: -1 }));
  expect(picked).toEqual([1, 1, -0.5, 3]);
});
