import {
  evaluateGraph,
  fromNumbers,
  type Graph,
  GraphBuilder,
  type Tensor,
  type TensorMap,
  tensor,
  toNumbers,
  type Value,
  verify,
} from '@modelwright/core';
import { expect, it } from 'vitest';
import { narrowIntegers } from './narrow-integers.js';

const scores = tensor([
  [0.5, 2, 2, -1],
  [3, 1, 0, 3],
  [-4, -5, -3, -3],
]);
const inputs = { scores, labels: tensor([1, 0, 2], { dtype: 'int64' }) };

function build(make: (builder: GraphBuilder, scores: Value, labels: Value) => Record<string, Value>): Graph {
  const builder = new GraphBuilder('classifier');
  const x = builder.input('scores', 'float32', ['batch', 4]);
  const labels = builder.input('labels', 'int64', ['batch']);
  for (const [name, value] of Object.entries(make(builder, x, labels))) builder.output(name, value);
  return builder.build();
}

/** Whether any node works on int64. */
function isWide({ nodes, constants }: Graph): boolean {
  return nodes.some(({ op, inputs, outputs }) => {
    const data = op === 'Reshape' || op === 'Unsqueeze' || op.startsWith('Reduce') ? inputs.slice(0, 1) : inputs;
    return [...data, ...outputs].some((value) => value?.dtype === 'int64' && !constants.has(value));
  });
}

function expectSame(graph: Graph, isNarrow: boolean): void {
  const { graph: narrow, narrowed } = narrowIntegers(graph);
  verify(narrow);
  const fed: TensorMap = Object.fromEntries(
    narrow.inputs.map(({ name }) => {
      const wide = narrowed.get(name);
      const given = inputs[(wide ?? name) as 'labels'];
      return [name, wide === undefined ? given : fromNumbers('int32', given.shape, toNumbers(given))];
    }),
  );
  const [given, wanted] = [evaluateGraph(narrow, fed), evaluateGraph(graph, inputs)];
  for (const [name, expected] of Object.entries(wanted)) {
    expect(given[name]?.dtype, name).toBe(expected.dtype);
    expect([...toNumbers(given[name] as Tensor)], name).toEqual([...toNumbers(expected)]);
  }
  expect(isWide(narrow)).toBe(!isNarrow);
}

it('compares labels with places of extremes in int32', () => {
  expectSame(
    build((builder, x, labels) => {
      const results: Record<string, Value> = {};
      for (const op of ['ArgMax', 'ArgMin'] as const)
        for (const last of [0, 1])
          results[`${op} ${last}`] = builder.op('Equal', [
            builder.op(op, [x], { axis: 1, keepdims: 0, select_last_index: last }),
            labels,
          ]);
      const kept = builder.op('Squeeze', [builder.op('ArgMax', [x], { axis: -1 }), builder.integers([1])]);
      results['kept'] = builder.op('Less', [kept, builder.scalar(2, 'int64')]);
      return results;
    }),
    true,
  );
});

it('moves labels and takes them for places in int32', () => {
  expectSame(
    build((builder, x, labels) => {
      const ignored = builder.op('Equal', [labels, builder.scalar(2, 'int64')]);
      const chosen = builder.op('Where', [ignored, builder.scalar(0, 'int64'), labels]);
      const column = builder.op('Unsqueeze', [chosen, builder.integers([1])]);
      const both = builder.op('Concat', [column, builder.op('Expand', [column, builder.integers([1, 2])])], {
        axis: 1,
      });
      return {
        picked: builder.op('GatherElements', [x, both], { axis: 1 }),
        written: builder.op('ScatterElements', [x, column, builder.op('GatherElements', [x, column], { axis: 1 })], {
          axis: 1,
        }),
        rows: builder.op('Gather', [x, builder.op('Gather', [labels, labels])], { axis: 0 }),
        number: builder.op('Cast', [chosen], { to: 1 }),
      };
    }),
    true,
  );
});

it('leaves what int32 might not hold, and what stays int64 for the caller', () => {
  const big = build((builder, _, labels) => ({
    past: builder.op('Less', [labels, builder.scalar(2 ** 40, 'int64')]),
    sum: builder.op('Greater', [builder.op('Mul', [labels, labels]), labels]),
    moved: builder.op('Unsqueeze', [labels, builder.integers([0])]),
  }));
  expect(narrowIntegers(big).narrowed.size).toBe(0);
  expectSame(big, false);
});

it('feeds both where one op needs int64 and another does not', () => {
  const mixed = build((builder, x, labels) => ({
    row: builder.op('Gather', [x, labels], { axis: 0 }),
    square: builder.op('Mul', [labels, labels]),
  }));
  expect(narrowIntegers(mixed).graph.inputs.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
    'scores float32',
    'labels int64',
    'labels.int32 int32',
  ]);
  expectSame(mixed, false);
});
