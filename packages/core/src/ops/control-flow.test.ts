import { describe, expect, test } from 'vitest';
import { backpropagate } from '../gradient/backpropagate.js';
import type { Graph, Node, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { specialize } from '../passes/specialize.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { Tensor, tensor, toNumbers } from '../tensor/tensor.js';

/** A scalar loss of some float64 inputs, and those inputs. */
interface Problem {
  readonly inputs: { readonly [name: string]: Tensor };
  readonly fixed?: { readonly [name: string]: Tensor };
  readonly build: (builder: GraphBuilder, values: { readonly [name: string]: Value }) => Value;
}

function graphOf({ inputs, fixed = {}, build }: Problem): Graph {
  const builder = new GraphBuilder('problem');
  const values = Object.fromEntries(
    Object.entries({ ...inputs, ...fixed }).map(([name, { dtype, shape }]) => [
      name,
      builder.input(name, dtype, shape),
    ]),
  );
  const loss = builder.op('ReduceSum', [build(builder, values)], { keepdims: 0 });
  builder.output('loss', loss);
  const targets = Object.keys(inputs).map((name) => values[name] as Value);
  const gradients = backpropagate(builder, [{ value: loss }], targets);
  for (const [index, name] of Object.keys(inputs).entries()) builder.output(`d_${name}`, gradients[index] as Value);
  return builder.build();
}

/** Central differences of fourth order against the gradient graph, every element. */
function expectGradients(problem: Problem): void {
  const graph = graphOf(problem);
  const fed = { ...problem.inputs, ...problem.fixed };
  const results = evaluateGraph(graph, fed);
  const lossAt = (name: string, element: number, offset: number): number => {
    const original = fed[name] as Tensor;
    const moved = toNumbers(original).slice();
    moved[element] = (moved[element] as number) + offset;
    const loss = evaluateGraph(graph, { ...fed, [name]: new Tensor('float64', original.shape, moved) })['loss'];
    return toNumbers(loss as Tensor)[0] as number;
  };
  const step = 1e-3;
  for (const name of Object.keys(problem.inputs)) {
    for (const [element, gradient] of toNumbers(results[`d_${name}`] as Tensor).entries()) {
      const near = lossAt(name, element, step) - lossAt(name, element, -step);
      const far = lossAt(name, element, 2 * step) - lossAt(name, element, -2 * step);
      const slope = (8 * near - far) / (12 * step);
      expect(Math.abs(gradient - slope), `${name}[${element}]: ${gradient} is not ${slope}`).toBeLessThan(
        1e-6 * Math.max(1, Math.abs(slope)),
      );
    }
  }
}

const doubles = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  tensor(values, { dtype: 'float64', shape });

describe('If', () => {
  const build: Problem['build'] = (builder, { x, w, condition }) => {
    const whenTrue = builder.subgraph('then', (inner) => inner.output('t', inner.op('Mul', [x, inner.op('Exp', [w])])));
    const whenFalse = builder.subgraph('else', (inner) => inner.output('f', inner.op('Div', [x, x])));
    const y = builder.op('If', [condition], { then_branch: whenTrue, else_branch: whenFalse });
    return builder.op('Mul', [y, x]);
  };
  const inputs = { x: doubles([0.5, -1, 2]), w: doubles([0.3, 0.1, -0.4]) };

  test.each([true, false])('gradients of captured values, condition %s', (condition) => {
    expectGradients({ inputs, fixed: { condition: tensor(condition) }, build });
  });

  test('a branch that hands a captured value through', () => {
    expectGradients({
      inputs: { x: doubles([1, 2]) },
      fixed: { condition: tensor(true) },
      build: (builder, { x, condition }) => {
        const same = builder.subgraph('then', (inner) => inner.output('t', inner.op('Identity', [x])));
        const square = builder.subgraph('else', (inner) => inner.output('f', inner.op('Mul', [x, x])));
        return builder.op('If', [condition], { then_branch: same, else_branch: square });
      },
    });
  });

  test('branches that disagree are refused', () => {
    const builder = new GraphBuilder();
    const condition = builder.input('condition', 'bool', []);
    const branch = (name: string, values: number[]): Graph =>
      builder.subgraph(name, (inner) => inner.output(name, inner.op('Identity', [inner.constant(tensor([values]))])));
    const one = builder.subgraph('one', (inner) =>
      inner.output('o', inner.op('Identity', [inner.constant(tensor(1))])),
    );
    expect(() => builder.op('If', [condition], { then_branch: branch('a', [1]), else_branch: one })).toThrow(
      'ranks must be equal',
    );
  });
});

/** `h′ = tanh(h·W + x·U + b)` as a Scan that captures its weights. */
const recurrent: Problem['build'] = (builder, { x, h, W, U, b }) => {
  const body = builder.subgraph('cell', (inner) => {
    const state = inner.input('state', 'float64', [2, 3]);
    const now = inner.input('now', 'float64', [2, 2]);
    const sum = inner.op('Add', [inner.op('MatMul', [state, W]), inner.op('MatMul', [now, U])]);
    const next = inner.op('Tanh', [inner.op('Add', [sum, b])]);
    inner.output('next', next);
    inner.output('given_out', inner.op('Mul', [next, b]));
  });
  const [last, all] = builder.node('Scan', [h, x], { body, num_scan_inputs: 1 }, { outputs: 2 });
  return builder.op('Add', [builder.op('ReduceSum', [all, builder.integers([0])], { keepdims: 0 }), last]);
};

const wave = (count: number, shape: readonly number[]): Tensor =>
  doubles(
    Array.from({ length: count }, (_, index) => Math.sin(index * 1.7 + count)),
    shape,
  );

describe('Scan', () => {
  const inputs = {
    x: wave(16, [4, 2, 2]),
    h: wave(6, [2, 3]),
    W: wave(9, [3, 3]),
    U: wave(6, [2, 3]),
    b: wave(3, [3]),
  };

  test('gradients of states, sequences and captured weights', () => {
    expectGradients({ inputs, build: recurrent });
  });

  test('only the final state is used', () => {
    expectGradients({
      inputs,
      build: (builder, values) => {
        const body = builder.subgraph('cell', (inner) => {
          const state = inner.input('state', 'float64', [2, 3]);
          const now = inner.input('now', 'float64', [2, 2]);
          const next = inner.op('Tanh', [inner.op('Add', [inner.op('MatMul', [now, values['U']]), state])]);
          inner.output('next', next);
          inner.output('each', inner.op('Identity', [next]));
        });
        return builder.node(
          'Scan',
          [values['h'], values['x']],
          { body, num_scan_inputs: 1 },
          { outputs: 2 },
        )[0] as Value;
      },
    });
  });

  test('an If inside', () => {
    expectGradients({
      inputs: { x: wave(6, [3, 2]), h: wave(2, [2]), w: wave(2, [2]) },
      build: (builder, { x, h, w }) => {
        const body = builder.subgraph('cell', (inner) => {
          const state = inner.input('state', 'float64', [2]);
          const now = inner.input('now', 'float64', [2]);
          const total = inner.op('ReduceSum', [now], { keepdims: 0 });
          const positive = inner.op('Greater', [total, inner.scalar(0, 'float64')]);
          const next = inner.op('If', [positive], {
            then_branch: inner.subgraph('up', (deep) => deep.output('u', deep.op('Mul', [state, w]))),
            else_branch: inner.subgraph('down', (deep) => deep.output('d', deep.op('Add', [state, now]))),
          });
          inner.output('next', next);
        });
        return builder.op('Scan', [h, x], { body, num_scan_inputs: 1 });
      },
    });
  });

  test('its body is specialised with it', () => {
    const builder = new GraphBuilder('sequence');
    const x = builder.input('x', 'float32', ['time', 'batch', 2]);
    const h = builder.input('h', 'float32', ['batch', 2]);
    const body = builder.subgraph('cell', (inner) => {
      const state = inner.input('state', 'float32', ['batch', 2]);
      const now = inner.input('now', 'float32', ['batch', 2]);
      inner.output('next', inner.op('Add', [state, now]));
    });
    builder.output('y', builder.op('Scan', [h, x], { body, num_scan_inputs: 1 }));
    const graph = specialize(builder.build(), { dimensions: { batch: 3, time: 4 } });
    const scan = graph.nodes.find((node) => node.op === 'Scan') as Node;
    expect((scan.attributes['body'] as Graph).outputs[0]?.value.shape).toEqual([3, 2]);
    expect(graph.outputs[0]?.value.shape).toEqual([3, 2]);
  });
});

describe('Loop', () => {
  const repeated: Problem['build'] = (builder, { v, w }) => {
    const body = builder.subgraph('body', (inner) => {
      const i = inner.input('i', 'int64', []);
      const holds = inner.input('holds', 'bool', []);
      const state = inner.input('state', 'float64', [3]);
      const step = inner.op('Cast', [i], { to: 11 });
      inner.output('still', inner.op('Identity', [holds]));
      inner.output(
        'next',
        inner.op('Mul', [inner.op('Exp', [inner.op('Mul', [state, w])]), inner.op('Add', [w, step])]),
      );
    });
    return builder.op('Loop', [builder.scalar(3, 'int64'), undefined, v], { body });
  };

  test('gradients of carried and captured values', () => {
    expectGradients({ inputs: { v: doubles([0.1, -0.2, 0.3]), w: doubles([0.2, 0.3, -0.1]) }, build: repeated });
  });

  test('a count known only as it runs has no gradient, and says so', () => {
    const builder = new GraphBuilder();
    const count = builder.input('count', 'int64', []);
    const v = builder.input('v', 'float64', [1]);
    const body = builder.subgraph('body', (inner) => {
      inner.input('i', 'int64', []);
      const holds = inner.input('holds', 'bool', []);
      const state = inner.input('state', 'float64', [1]);
      inner.output('still', inner.op('Identity', [holds]));
      inner.output('next', inner.op('Mul', [state, state]));
    });
    const y = builder.op('Loop', [count, undefined, v], { body });
    expect(() => backpropagate(builder, [{ value: y }], [v])).toThrow('trip count is constant');
  });
});
