import { expect, test } from 'vitest';
import { uniformSequence } from '../cases/case-data.js';
import { backpropagate } from '../gradient/backpropagate.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { eliminateCommonSubexpressions } from '../passes/eliminate-common-subexpressions.js';
import { foldConstants } from '../passes/fold-constants.js';
import { removeDeadNodes } from '../passes/remove-dead-nodes.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { fromNumbers, type Tensor, toNumbers } from '../tensor/tensor.js';
import { verify } from '../verify.js';

type Draw = (below: number) => number;
type Step = (builder: GraphBuilder, x: Value, draw: Draw) => Value;

const shapeOf = (x: Value): readonly number[] => x.shape as readonly number[];
const rankOf = (x: Value): number => x.shape.length;

function shuffled(count: number, draw: Draw): number[] {
  const items = [...Array(count).keys()];
  return items.map((_, index) => {
    const at = index + draw(count - index);
    [items[index], items[at]] = [items[at] as number, items[index] as number];
    return items[index] as number;
  });
}

function slice(builder: GraphBuilder, x: Value, draw: Draw): Value {
  const axis = draw(rankOf(x));
  const step = (draw(3) + 1) * (draw(2) === 0 ? 1 : -1);
  const [start, end] = step > 0 ? [draw(2), 100] : [-1 - draw(2), -100];
  return builder.op('Slice', [x, ...[start, end, axis, step].map((each) => builder.integers([each]))]);
}

function gather(builder: GraphBuilder, x: Value, draw: Draw): Value {
  const axis = draw(rankOf(x));
  const extent = shapeOf(x)[axis] as number;
  const indices = Array.from({ length: draw(3) + 1 }, () => draw(2 * extent) - extent);
  return builder.op('Gather', [x, builder.integers(indices)], { axis });
}

/** Linear ops that need only what `draw` gives; each keeps the tensor small and not empty. */
const steps: readonly Step[] = [
  (builder, x, draw) => builder.op('Transpose', [x], { perm: shuffled(rankOf(x), draw) }),
  (builder, x) => builder.op('Reshape', [x, builder.integers([0, -1])]),
  (builder, x, draw) => builder.op('Unsqueeze', [x, builder.integers([draw(rankOf(x) + 1)])]),
  (builder, x, draw) => builder.op('Flatten', [x], { axis: draw(rankOf(x) + 1) }),
  (builder, x, draw) => builder.op('Expand', [x, builder.integers([draw(2) + 1, ...shapeOf(x).map(() => 1)])]),
  (builder, x, draw) => builder.op('Tile', [x, builder.integers(shapeOf(x).map(() => (draw(4) === 0 ? 2 : 1)))]),
  (builder, x, draw) => builder.op('Concat', [x, builder.op('Neg', [x])], { axis: draw(rankOf(x)) }),
  (builder, x, draw) => {
    const axis = draw(rankOf(x));
    const count = Math.min(2, shapeOf(x)[axis] as number);
    return builder.node('Split', [x], { axis, num_outputs: count }, { outputs: count })[draw(count)] as Value;
  },
  slice,
  slice,
  gather,
];

function chain(builder: GraphBuilder, x: Value, draw: Draw): Value {
  let value = x;
  for (let length = 3 + draw(6); length > 0; length--) {
    if (rankOf(value) < 2) value = builder.op('Unsqueeze', [value, builder.integers([0])]);
    const next = (steps[draw(steps.length)] as Step)(builder, value, draw);
    const count = shapeOf(next).reduce((product, extent) => product * extent, 1);
    if (count > 0 && count < 2000 && rankOf(next) < 6) value = next;
  }
  return value;
}

const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, each, index) => sum + each * (b[index] as number), 0);

// For a linear f the gradient of ⟨dy, f(x)⟩ is fᵀ(dy), so ⟨dy, f(x)⟩ = ⟨fᵀ(dy), x⟩ for every x and dy.
test.each([...Array(150).keys()])('random chain %i: its gradient is its transpose, and passes keep both', (seed) => {
  const next = uniformSequence(seed);
  const draw: Draw = (below) => Math.floor(next() * below);
  const numbers = (count: number): Float64Array => Float64Array.from({ length: count }, () => next() * 2 - 1);
  const shape = [2, 3, 4];
  const builder = new GraphBuilder('chain');
  const x = builder.input('x', 'float64', shape);
  const y = chain(builder, x, draw);
  const seedValue = builder.input('dy', 'float64', y.shape);
  const [dx] = backpropagate(builder, [{ value: y, gradient: seedValue }], [x]);
  builder.output('y', y);
  builder.output('dx', dx as Value);
  const graph = builder.build();
  verify(graph);
  const fed = {
    x: fromNumbers('float64', shape, numbers(24)),
    dy: fromNumbers('float64', shapeOf(y), numbers(shapeOf(y).reduce((product, extent) => product * extent, 1))),
  };
  const results = evaluateGraph(graph, fed);
  const [forward, backward] = [results['y'] as Tensor, results['dx'] as Tensor];
  expect(forward.shape).toEqual(y.shape);
  expect(backward.shape).toEqual(shape);
  const expected = inner(toNumbers(fed.dy), toNumbers(forward));
  expect(inner(toNumbers(backward), toNumbers(fed.x))).toBeCloseTo(expected, 9);
  const passes = [foldConstants, eliminateCommonSubexpressions, removeDeadNodes];
  const passed = passes.reduce((current, pass) => pass.run(current), graph);
  expect(evaluateGraph(passed, fed)).toEqual(results);
});
