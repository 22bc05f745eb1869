import { type DType, GraphBuilder, Model, tensor, type Value } from '@modelwright/core';

export interface LinearModelOptions {
  readonly kernel: readonly (readonly number[])[];
  readonly bias?: readonly number[];
  readonly activation?: 'softmax' | 'sigmoid' | null;
  readonly dtype?: DType;
  readonly parameter?: Partial<Model['parameters'][number]>;
}

/** `activation(x · kernel + bias)` with the input `x` and the output `y`. */
export function linearModel({
  kernel,
  bias,
  activation,
  dtype = 'float64',
  parameter = {},
}: LinearModelOptions): Model {
  const builder = new GraphBuilder('linear');
  const x = builder.input('x', dtype, ['batch', kernel.length]);
  const w = builder.constant(tensor(kernel, { dtype }), { name: 'dense.kernel' });
  const b = builder.constant(tensor(bias ?? (kernel[0] ?? []).map(() => 0), { dtype }), { name: 'dense.bias' });
  const scores = builder.op('Gemm', [x, w, b]);
  builder.output('y', activate(builder, scores, activation ?? null));
  return new Model({
    name: 'linear',
    graph: builder.build(),
    parameters: [
      { name: 'dense.kernel', value: w, trainable: true, role: 'weight', ...parameter },
      { name: 'dense.bias', value: b, trainable: true, role: 'weight' },
    ],
  });
}

/** A model that gives back its input `[batch, features]`, plus a weight of zeros. */
export function echoModel(features: number): Model {
  const builder = new GraphBuilder('echo');
  const x = builder.input('x', 'float64', ['batch', features]);
  const w = builder.constant(
    tensor(
      Array.from({ length: features }, () => 0),
      { dtype: 'float64' },
    ),
    { name: 'w' },
  );
  builder.output('y', builder.op('Add', [x, w]));
  return new Model({
    name: 'echo',
    graph: builder.build(),
    parameters: [{ name: 'w', value: w, trainable: true, role: 'weight' }],
  });
}

/** A model whose output is its one weight: what a loss says of it is the loss of the weight. */
export function weightModel(weight: readonly (readonly number[])[], activation: 'softmax' | 'sigmoid' | null): Model {
  const builder = new GraphBuilder('weight');
  const x = builder.input('x', 'float64', ['batch', 1]);
  const w = builder.constant(tensor(weight, { dtype: 'float64' }), { name: 'w' });
  builder.output(
    'y',
    activate(builder, builder.op('Add', [builder.op('Mul', [x, builder.scalar(0, 'float64')]), w]), activation),
  );
  return new Model({
    name: 'weight',
    graph: builder.build(),
    parameters: [{ name: 'w', value: w, trainable: true, role: 'weight' }],
  });
}

function activate(builder: GraphBuilder, scores: Value, activation: 'softmax' | 'sigmoid' | null): Value {
  if (activation === 'softmax') return builder.op('Softmax', [scores], { axis: -1 });
  return activation === 'sigmoid' ? builder.op('Sigmoid', [scores]) : scores;
}
