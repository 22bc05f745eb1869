import {
  backpropagate,
  createReferenceBackend,
  type Graph,
  GraphBuilder,
  statelessProgram,
  type Tensor,
  tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import { afterAll, describe, expect, test } from 'vitest';
import { createBackend } from './backend.js';

// Subgraphs that use values of the graph around them, with their gradients.

const runtime = createBackend();
const reference = createReferenceBackend();
afterAll(async () => (await runtime).dispose());

const wave = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return tensor(
    Array.from({ length: count }, (_, index) => Math.sin(index * 1.7 + count)),
    { shape },
  );
};

interface Problem {
  readonly shapes: { readonly [name: string]: readonly number[] };
  readonly build: (builder: GraphBuilder, values: { readonly [name: string]: Value }) => Value;
}

function gradientGraph({ shapes, build }: Problem): Graph {
  const builder = new GraphBuilder('problem');
  const values = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, builder.input(name, 'float32', shape)]),
  );
  const loss = builder.op('ReduceSum', [build(builder, values)], { keepdims: 0 });
  const gradients = backpropagate(builder, [{ value: loss }], Object.values(values));
  builder.output('loss', loss);
  for (const [index, name] of Object.keys(shapes).entries()) builder.output(`d_${name}`, gradients[index] as Value);
  return builder.build();
}

const problems: { readonly [what: string]: Problem } = {
  'a recurrence with captured weights': {
    shapes: { x: [5, 2, 2], h: [2, 3], W: [3, 3], U: [2, 3], b: [3] },
    build: (builder, { x, h, W, U, b }) => {
      const body = builder.subgraph('cell', (inner) => {
        const state = inner.input('state', 'float32', [2, 3]);
        const now = inner.input('now', 'float32', [2, 2]);
        const sum = inner.op('Add', [inner.op('MatMul', [state, W]), inner.op('MatMul', [now, U])]);
        const next = inner.op('Tanh', [inner.op('Add', [sum, b])]);
        inner.output('next', next);
        inner.output('given_out', inner.op('Mul', [next, b]));
      });
      const [last, all] = builder.node('Scan', [h, x], { body, num_scan_inputs: 1 }, { outputs: 2 });
      return builder.op('Add', [builder.op('ReduceSum', [all, builder.integers([0])], { keepdims: 0 }), last]);
    },
  },
  'branches inside of a recurrence': {
    shapes: { x: [4, 2], h: [2], w: [2] },
    build: (builder, { x, h, w }) => {
      const body = builder.subgraph('cell', (inner) => {
        const state = inner.input('state', 'float32', [2]);
        const now = inner.input('now', 'float32', [2]);
        const total = inner.op('ReduceSum', [now], { keepdims: 0 });
        const isPositive = inner.op('Greater', [total, inner.scalar(0, 'float32')]);
        const next = inner.op('If', [isPositive], {
          then_branch: inner.subgraph('up', (deep) => deep.output('u', deep.op('Mul', [state, w]))),
          else_branch: inner.subgraph('down', (deep) => deep.output('d', deep.op('Add', [state, now]))),
        });
        inner.output('next', next);
      });
      return builder.op('Scan', [h, x], { body, num_scan_inputs: 1 });
    },
  },
  'a counted loop': {
    shapes: { v: [3], w: [3] },
    build: (builder, { v, w }) => {
      const body = builder.subgraph('body', (inner) => {
        const i = inner.input('i', 'int64', []);
        const holds = inner.input('holds', 'bool', []);
        const state = inner.input('state', 'float32', [3]);
        const scaled = inner.op('Mul', [inner.op('Sigmoid', [state]), w]);
        inner.output('still', inner.op('Identity', [holds]));
        inner.output('next', inner.op('Add', [scaled, inner.op('Cast', [i], { to: 1 })]));
      });
      return builder.op('Loop', [builder.scalar(3, 'int64'), undefined, v], { body });
    },
  },
};

describe('gradients through subgraphs equal the reference', () => {
  test.each(Object.entries(problems))('%s', async (_, problem) => {
    const program = statelessProgram(gradientGraph(problem));
    const inputs = Object.fromEntries(Object.entries(problem.shapes).map(([name, shape]) => [name, wave(shape)]));
    const [expected, actual] = await Promise.all(
      [reference, await runtime].map(async (backend) => (await backend.compile(program, { debug: true })).run(inputs)),
    );
    for (const [name, held] of Object.entries(expected ?? {})) {
      const computed = toNumbers(actual?.[name] as Tensor);
      for (const [index, number] of toNumbers(held).entries()) {
        expect(computed[index], `${name}[${index}]`).toBeCloseTo(number, 4);
      }
    }
  });
});
