import { expect, test } from 'vitest';
import type { Graph, Value } from './graph/graph.js';
import { GraphBuilder } from './graph/graph-builder.js';
import { print } from './print.js';
import { fromNumbers, tensor, zeros } from './tensor/tensor.js';
import { verify } from './verify.js';

function sample(): Graph {
  const builder = new GraphBuilder('sample');
  const x = builder.input('x', 'float32', ['batch', 3]);
  builder.output('y', builder.op('Exp', [builder.op('Add', [x, builder.constant([1, 2, 3], { name: 'offset' })])]));
  return builder.build();
}

test('a graph made by the builder is well formed', () => {
  expect(() => verify(sample())).not.toThrow();
});

test('refuses nodes out of order', () => {
  const graph = sample();
  expect(() => verify({ ...graph, nodes: [...graph.nodes].reverse() })).toThrow(
    /Exp 'Exp' uses 'Add:0' before it is defined/,
  );
});

test('refuses a wrong declared type', () => {
  const graph = sample();
  const [add, exp] = graph.nodes;
  const wrong: Value = { ...(exp?.outputs[0] as Value), dtype: 'int32' };
  const changed = {
    ...graph,
    nodes: [add, { ...exp, outputs: [wrong] }],
    outputs: [{ name: 'y', value: wrong }],
  } as Graph;
  expect(() => verify(changed)).toThrow(/declared int32\[batch,3\] but infers float32\[batch,3\]/);
});

test('refuses outputs that nothing computes and doubled names', () => {
  const graph = sample();
  const stray: Value = { name: 'stray', dtype: 'float32', shape: [] };
  expect(() => verify({ ...graph, outputs: [{ name: 'y', value: stray }] })).toThrow(/output 'y' is never computed/);
  const twin: Value = { name: 'x', dtype: 'float32', shape: [1] };
  expect(() => verify({ ...graph, inputs: [...graph.inputs, twin] })).toThrow(/two values are named 'x'/);
});

test('prints a node a line', () => {
  expect(print(sample())).toBe(
    [
      'graph sample(x: float32[batch,3]) -> (y = Exp:0) {',
      '  offset = float32[3] {1, 2, 3}',
      '  Add:0 = Add(x, offset) : float32[batch,3]',
      '  Exp:0 = Exp(Add:0) : float32[batch,3]',
      '}',
    ].join('\n'),
  );
});

test('prints constants as their values, and subgraphs inside of their node', () => {
  const builder = new GraphBuilder('outer');
  const condition = builder.constant(tensor(true), { name: 'condition' });
  builder.constant(fromNumbers('float16', [2], [0.5, -2]), { name: 'half' });
  builder.constant(tensor(['a', 'b']), { name: 'words' });
  const many = builder.constant(zeros('int64', [100]), { name: 'many' });
  const branch = (name: string): Graph =>
    builder.subgraph(name, (inner) =>
      inner.output(`${name}_out`, inner.op('Neg', [many], {}, { name: `${name}_neg` })),
    );
  const y = builder.op('If', [condition], { then_branch: branch('yes'), else_branch: branch('no') }, { name: 'y' });
  builder.output('y', y);
  expect(print(builder.build())).toBe(
    [
      'graph outer() -> (y) {',
      '  condition = bool[] {true}',
      '  half = float16[2] {0.5, -2}',
      '  words = string[2] {"a", "b"}',
      '  many = int64[100] {0, 0, 0, 0, 0, 0, 0, 0, …}',
      '  y = If(condition) {then_branch=graph yes() -> (yes_out = yes_neg) {',
      '    yes_neg = Neg(many) : int64[100]',
      '  }, else_branch=graph no() -> (no_out = no_neg) {',
      '    no_neg = Neg(many) : int64[100]',
      '  }} : int64[100]',
      '}',
    ].join('\n'),
  );
});
