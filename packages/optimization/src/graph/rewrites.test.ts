import {
  evaluateGraph,
  fromNumbers,
  GraphBuilder,
  Model,
  type Parameter,
  type Tensor,
  tensor,
  toNumbers,
  type Value,
  verify,
} from '@modelwright/core';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { describe, expect, test } from 'vitest';
import { graphPassNames } from './graph-passes.js';
import { type OptimizeGraphOptions, optimizeGraph } from './optimize-graph.js';
import { opsOf, randomInputs } from './same-outputs.cases.js';

/** Numbers that differ from place to place. */
const vary = (shape: readonly number[], seed = 1): Tensor =>
  fromNumbers(
    'float32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.sin(seed + 2.3 * at)),
  );

interface Case {
  readonly build: (builder: GraphBuilder) => readonly Value[] | Value;
  readonly options?: OptimizeGraphOptions;
}

function modelOf(build: Case['build'], weights: readonly string[] = []): Model {
  const builder = new GraphBuilder('case');
  const outputs = [build(builder)].flat() as readonly Value[];
  outputs.forEach((value, index) => {
    builder.output(`y${index}`, value);
  });
  const graph = builder.build();
  const parameters = weights.map((name): Parameter => {
    const value = [...graph.constants.keys()].find((each) => each.name === name) as Value;
    return { name, value, trainable: true, role: 'weight' };
  });
  return new Model({ name: 'case', graph, parameters });
}

/** The ops of what a graph becomes, after a look whether it computes the same on the oracle. */
async function optimized(
  model: Model,
  options: OptimizeGraphOptions = {},
): Promise<{ readonly model: Model; readonly ops: readonly string[] }> {
  const small = await optimizeGraph(model, options);
  verify(small.graph);
  readOnnx(writeOnnx(small).bytes);
  const inputs = randomInputs(model, 3);
  const [before, after] = [evaluateGraph(model.graph, inputs), evaluateGraph(small.graph, inputs)];
  for (const [name, given] of Object.entries(after)) {
    const expected = toNumbers(before[name] as Tensor);
    toNumbers(given).forEach((each, at) => {
      expect(each).toBeCloseTo(expected[at] as number, 5);
    });
    expect(given.shape).toEqual(before[name]?.shape);
  }
  return { model: small, ops: opsOf(small) };
}

const image = (builder: GraphBuilder): Value => builder.input('x', 'float32', ['batch', 4, 6, 6]);
const rows = (builder: GraphBuilder): Value => builder.input('x', 'float32', ['batch', 4]);

const cases: readonly (readonly [string, readonly string[], Case['build']])[] = [
  [
    'nothing of what changes nothing',
    ['Relu'],
    (b) => {
      const x = image(b);
      const same = b.op('Cast', [b.op('Identity', [b.op('Dropout', [x, b.scalar(0.5, 'float32')])])], { to: 1 });
      const padded = b.op('Pad', [same, b.integers([0, 0, 0, 0, 0, 0, 0, 0])]);
      const whole = b.op('Slice', [padded, b.integers([0]), b.integers([99]), b.integers([2])]);
      return b.op('Relu', [
        b.op('Mul', [
          b.op('Add', [b.op('Concat', [whole], { axis: 1 }), b.scalar(0, 'float32')]),
          b.scalar(1, 'float32'),
        ]),
      ]);
    },
  ],
  [
    'one Reshape of several views',
    ['Reshape', 'Relu'],
    (b) => {
      const flat = b.op('Flatten', [image(b)], { axis: 1 });
      const split = b.op('Reshape', [flat, b.integers([0, 4, 36])]);
      return b.op('Relu', [b.op('Squeeze', [b.op('Unsqueeze', [split, b.integers([1])]), b.integers([1])])]);
    },
  ],
  [
    'no transposes that undo each other',
    ['Relu'],
    (b) => {
      const last = b.op('Transpose', [image(b)], { perm: [0, 2, 3, 1] });
      return b.op('Transpose', [b.op('Relu', [last])], { perm: [0, 3, 1, 2] });
    },
  ],
  [
    'images in one layout between layers whose channels stand last',
    ['Pad', 'Slice', 'Transpose', 'Conv', 'Slice', 'Relu', 'Conv', 'GlobalAveragePool', 'Flatten', 'Softmax'],
    (b) => {
      const [first, last] = [{ perm: [0, 3, 1, 2] }, { perm: [0, 2, 3, 1] }];
      const x = b.input('x', 'float32', ['batch', 6, 6, 4]);
      const around = b.op('Pad', [x, b.integers([0, 1, 1, 0, 0, 1, 1, 0])]);
      const cut = b.op('Slice', [around, b.integers([0, 0]), b.integers([7, 8]), b.integers([1, 2])]);
      const features = b.op('Conv', [b.op('Transpose', [cut], first), b.constant(vary([3, 4, 3, 3]))]);
      const nearer = b.op('Slice', [
        b.op('Transpose', [features], last),
        b.integers([1]),
        b.integers([4]),
        b.integers([-2]),
      ]);
      const padded = b.op('Pad', [b.op('Relu', [nearer]), b.integers([0, 0, 1, 0, 0, 0, 1, 0])]);
      const again = b.op('Conv', [b.op('Transpose', [padded], first), b.constant(vary([5, 3, 3, 3]))]);
      const mean = b.op('ReduceMean', [b.op('Transpose', [again], last), b.integers([1, 2])], { keepdims: 0 });
      return b.op('Softmax', [mean], { axis: -1 });
    },
  ],
  [
    'a Reshape of a transpose that moves no element',
    ['GlobalAveragePool', 'Reshape'],
    (b) => {
      const mean = b.op('GlobalAveragePool', [image(b)]);
      return b.op('Flatten', [b.op('Transpose', [mean], { perm: [0, 2, 3, 1] })], { axis: 1 });
    },
  ],
  [
    'one Clip of Relu and bounds',
    ['Clip'],
    (b) => {
      const bounded = b.op('Clip', [b.op('Relu', [image(b)]), undefined, b.scalar(0.6, 'float32')]);
      return b.op('Max', [bounded, b.scalar(0.1, 'float32')]);
    },
  ],
  [
    'Relu of Max with zero, once',
    ['Relu', 'MaxPool'],
    (b) => {
      const positive = b.op('Max', [image(b), b.scalar(0, 'float32')]);
      return b.op('Relu', [b.op('MaxPool', [positive], { kernel_shape: [2, 2] })]);
    },
  ],
  [
    'padding within convolution and pooling',
    ['Conv', 'Relu', 'MaxPool', 'AveragePool'],
    (b) => {
      const around = (value: Value): Value => b.op('Pad', [value, b.integers([0, 0, 1, 1, 0, 0, 0, 1])]);
      const features = b.op('Relu', [
        b.op('Conv', [around(image(b)), b.constant(vary([3, 4, 3, 3]))], { pads: [1, 0, 0, 0] }),
      ]);
      const most = b.op('MaxPool', [around(features)], { kernel_shape: [3, 3] });
      return b.op('AveragePool', [around(most)], { kernel_shape: [2, 2] });
    },
  ],
  [
    'scaling within a convolution, before and behind',
    ['Conv'],
    (b) => {
      const scaled = b.op('Div', [b.op('Sub', [image(b), b.constant(vary([4, 1, 1], 3))]), b.scalar(3, 'float32')]);
      const features = b.op('Conv', [scaled, b.constant(vary([6, 2, 3, 3]))], { group: 2 });
      return b.op('Add', [b.op('Mul', [features, b.constant(vary([6, 1, 1], 5))]), b.constant(vary([1, 6, 1, 1], 7))]);
    },
  ],
  [
    'one Gemm of a product, a sum and scaling around',
    ['Gemm'],
    (b) => {
      const product = b.op('MatMul', [
        b.op('Mul', [rows(b), b.constant(vary([4], 2))]),
        b.op('Transpose', [b.constant(vary([5, 4]))], { perm: [1, 0] }),
      ]);
      return b.op('Mul', [b.op('Add', [product, b.constant(vary([1, 5], 4))]), b.scalar(0.3, 'float32')]);
    },
  ],
  [
    'equal expressions once',
    ['Tanh', 'Add'],
    (b) => {
      const x = rows(b);
      return b.op('Add', [b.op('Tanh', [x]), b.op('Tanh', [x])]);
    },
  ],
  [
    'shapes that are known though the batch is not',
    ['Reshape'],
    (b) => {
      const x = image(b);
      const batch = b.op('Gather', [b.op('Shape', [x]), b.integers([0])]);
      return b.op('Reshape', [x, b.op('Concat', [batch, b.integers([-1])], { axis: 0 })]);
    },
  ],
  [
    'Gelu and HardSwish, written out',
    ['Gelu', 'HardSwish'],
    (b) => {
      const x = rows(b);
      const erf = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2, 'float32')])]);
      const gelu = b.op('Mul', [
        b.op('Mul', [x, b.scalar(0.5, 'float32')]),
        b.op('Add', [erf, b.scalar(1, 'float32')]),
      ]);
      const gate = b.op('Clip', [
        b.op('Add', [gelu, b.scalar(3, 'float32')]),
        b.scalar(0, 'float32'),
        b.scalar(6, 'float32'),
      ]);
      return b.op('Div', [b.op('Mul', [gelu, gate]), b.scalar(6, 'float32')]);
    },
  ],
  [
    'the branch of a condition that is known',
    ['Relu'],
    (b) => {
      const x = rows(b);
      const count = b.op('Gather', [b.op('Shape', [x]), b.scalar(1, 'int64')]);
      const branch = (op: 'Relu' | 'Tanh') => b.subgraph(op, (inner) => inner.output('r', inner.op(op, [x])));
      const attributes = { then_branch: branch('Relu'), else_branch: branch('Tanh') };
      return b.node('If', [b.op('Equal', [count, b.scalar(4, 'int64')])], attributes, { outputs: 1 })[0] as Value;
    },
  ],
  [
    'one Split of slices side by side',
    ['Split', 'Mul', 'Add'],
    (b) => {
      const x = image(b);
      const [q, k, v] = [0, 1, 2].map((at) =>
        b.op('Slice', [x, b.integers([2 * at]), b.integers([at === 2 ? 99 : 2 * at + 2]), b.integers([3])]),
      ) as [Value, Value, Value];
      return b.op('Add', [b.op('Mul', [q, k]), v]);
    },
  ],
];

describe('what is left of a graph is', () => {
  test.each(cases)('%s', async (_, ops, build) => {
    expect((await optimized(modelOf(build))).ops).toEqual(ops);
  });
});

test('scaling between a convolution and others that read it, and padding with something else, stay', async () => {
  const { ops } = await optimized(
    modelOf((b) => {
      const x = image(b);
      const features = b.op('Conv', [x, b.constant(vary([4, 4, 1, 1]))]);
      const scaled = b.op('Mul', [features, b.constant(vary([1, 1, 6], 2))]);
      const padded = b.op('Pad', [features, b.integers([0, 0, 1, 1, 0, 0, 1, 1]), b.scalar(2, 'float32')]);
      const signed = b.op('Pad', [scaled, b.integers([0, 0, 1, 1, 0, 0, 1, 1])]);
      return [
        b.op('Conv', [padded, b.constant(vary([2, 4, 3, 3]))]),
        b.op('MaxPool', [signed], { kernel_shape: [2, 2] }),
      ];
    }),
  );
  expect(ops).toEqual(['Conv', 'Mul', 'Pad', 'Pad', 'Conv', 'MaxPool']);
});

test('weights that are equal are stored once, those of one number each by itself', async () => {
  const build = (b: GraphBuilder): Value => {
    const x = b.input('x', 'float32', ['batch', 20]);
    const [first, twin] = ['a', 'b'].map((name) => b.constant(vary([20, 20]), { name })) as [Value, Value];
    const [zeros, others] = ['c', 'd'].map((name) =>
      b.constant(fromNumbers('float32', [20, 20], new Float64Array(400)), { name }),
    ) as [Value, Value];
    const tied = b.op('MatMul', [b.op('Tanh', [b.op('MatMul', [x, first])]), twin]);
    return b.op('MatMul', [b.op('Tanh', [b.op('MatMul', [b.op('Tanh', [tied]), zeros])]), others]);
  };
  const { model } = await optimized(modelOf(build, ['a', 'b', 'c', 'd']));
  expect(model.parameters.map(({ name }) => name)).toEqual(['a', 'c', 'd']);
});

test('quantized weights stay small, and a transposed weight that is read as it is, too, is not written twice', async () => {
  const build = (b: GraphBuilder): Value => {
    const table = b.constant(vary([300, 20]), { name: 'table' });
    const codes = b.constant(
      tensor(
        Array.from({ length: 400 }, (_, at) => (at % 200) - 100),
        { dtype: 'int8', shape: [20, 20] },
      ),
      { name: 'codes' },
    );
    const found = b.op('Gather', [table, b.input('x', 'int64', ['batch', 3])], { axis: 0 });
    const mixed = b.op('MatMul', [found, b.op('DequantizeLinear', [codes, b.scalar(0.01, 'float32')])]);
    return b.op('MatMul', [mixed, b.op('Transpose', [table], { perm: [1, 0] })]);
  };
  const { ops } = await optimized(modelOf(build, ['table']));
  expect(ops).toEqual(['Gather', 'DequantizeLinear', 'MatMul', 'Transpose', 'MatMul']);
});

test('outputs that are not wanted, shapes that are given, and passes that are left out', async () => {
  const model = modelOf((b) => {
    const x = rows(b);
    return [b.op('Relu', [b.op('Identity', [x])]), b.op('Tanh', [x])];
  });
  const one = await optimized(model, { outputs: ['y0'] });
  expect(one.ops).toEqual(['Relu']);
  const fixed = await optimizeGraph(model, { shapes: { dimensions: { batch: 3 } } });
  expect(fixed.graph.outputs.map(({ value }) => value.shape)).toEqual([
    [3, 4],
    [3, 4],
  ]);
  const untouched = await optimizeGraph(model, { skip: graphPassNames });
  expect(opsOf(untouched)).toEqual(opsOf(model));
  await expect(optimizeGraph(model, { outputs: ['z'] })).rejects.toThrow("has no output 'z'; it has: y0, y1");
});

test('an embedding and a recurrent layer take the scaling between them, tied tables do not', async () => {
  const build = (b: GraphBuilder): readonly Value[] => {
    const x = b.input('x', 'int64', [3, 'batch']);
    const rows = b.op('Gather', [b.constant(vary([7, 4]), { name: 'table' }), x], { axis: 0 });
    const first = b.op('Add', [b.op('Mul', [rows, b.scalar(2, 'float32')]), b.constant(vary([4], 3))]);
    const weights = (
      [
        [2, 6, 4],
        [2, 6, 2],
        [2, 12],
      ] as const
    ).map((shape, at) => b.constant(vary(shape, at + 4)));
    const gated = b.node('GRU', [b.op('Tanh', [first]), ...weights], { hidden_size: 2, direction: 'bidirectional' });
    const centred = b.op('Sub', [
      b.op('Mul', [b.op('Tanh', [first]), b.constant(vary([4], 9))]),
      b.constant(vary([4], 2)),
    ]);
    const scaled = b.node('GRU', [centred, ...weights], { hidden_size: 2, direction: 'bidirectional' });
    return [gated[0] as Value, scaled[0] as Value];
  };
  const { ops } = await optimized(modelOf(build, ['table']));
  expect(ops).toEqual(['Gather', 'Tanh', 'GRU', 'GRU']);
  const tied = (b: GraphBuilder): Value => {
    const table = b.constant(vary([7, 4]), { name: 'table' });
    const rows = b.op('Mul', [
      b.op('Gather', [table, b.input('x', 'int64', ['batch'])], { axis: 0 }),
      b.scalar(2, 'float32'),
    ]);
    return b.op('Gemm', [b.op('Tanh', [rows]), table], { transB: 1 });
  };
  const kept = await optimized(modelOf(tied, ['table']));
  expect(kept.ops).toEqual(['Gather', 'Mul', 'Tanh', 'Gemm']);
  expect(kept.model.parameters.map(({ name }) => name)).toEqual(['table']);
});

test('inputs that nothing depends on are told, and stay', async () => {
  const notes: string[] = [];
  const model = modelOf((b) => [
    b.op('Relu', [rows(b)]),
    b.op('Shape', [b.input('idle', 'float32', ['batch', 3])], { start: 1 }),
  ]);
  const small = await optimizeGraph(model, { onNote: (note) => notes.push(note) });
  expect(small.graph.inputs.map(({ name }) => name)).toEqual(['x', 'idle']);
  expect(notes).toContain("input 'idle' has no effect on the outputs");
});
