import { type Graph, GraphBuilder, type TensorMap, tensor } from '@modelwright/core';

const row = (length: number, scale = 1): number[] =>
  Array.from({ length }, (_, index) => scale * Math.sin(1 + index * 1.7));

/** Noise that only training adds, twice, one within the other; one draw that two switches share; a switch in a body. */
function noisy(): Graph {
  const builder = new GraphBuilder('noisy');
  const x = builder.input('x', 'float32', ['batch', 4]);
  const shared = builder.op('RandomNormalLike', [x], { scale: 0.5 }, { name: 'shared' });
  const first = builder.op('TrainingSwitch', [x, builder.op('Add', [x, shared])], {}, { nodeName: 'first' });
  const drawn = builder.op('Mul', [first, builder.op('RandomUniformLike', [first], { low: 0.5, high: 1.5 })]);
  const within = builder.op('TrainingSwitch', [drawn, builder.op('Neg', [drawn])], {}, { nodeName: 'within' });
  const second = builder.op('TrainingSwitch', [first, builder.op('Add', [within, shared])], {}, { nodeName: 'second' });
  const sequence = builder.op('Unsqueeze', [second, builder.integers([0])]);
  const body = builder.subgraph('body', (inner) => {
    const state = inner.input('state', 'float32', ['batch', 4]);
    const now = inner.input('now', 'float32', ['batch', 4]);
    const sum = inner.op('Add', [state, now]);
    const kept = inner.op('TrainingSwitch', [sum, inner.op('Relu', [sum])], {}, { nodeName: 'kept' });
    inner.output('next', kept);
  });
  const zero = builder.op('Sub', [second, second]);
  builder.output('y', builder.op('Scan', [zero, sequence], { body, num_scan_inputs: 1 }));
  // Handed through as it is.
  builder.output('z', builder.op('TrainingSwitch', [second, x], {}, { nodeName: 'plain' }));
  return builder.build();
}

/** Ops that newer opsets brought, ops of Modelwright's own, each more than once. */
function attentive(): Graph {
  const builder = new GraphBuilder('attentive');
  const tokens = builder.input('tokens', 'float32', ['batch', 'time', 8]);
  const table = builder.constant(tensor(row(64), { shape: [8, 8] }), { name: 'positions.embeddings' });
  const places = builder.op('Positions', [tokens], { axis: 1 });
  const x = builder.op('Add', [tokens, builder.op('Gather', [table, places], { axis: 0 })]);
  const features = builder.op('Positions', [tokens], { axis: 2 });
  const causal = { is_causal: 1, q_num_heads: 2, kv_num_heads: 2 };
  const one = builder.op('Attention', [x, x, x], causal, { nodeName: 'block1.attention' });
  const two = builder.op('Attention', [one, x, one], causal, { nodeName: 'block2.attention' });
  const three = builder.op(
    'Attention',
    [two, two, x],
    { ...causal, is_causal: 0, softcap: 3 },
    { nodeName: 'block3.attention' },
  );
  const windowed = { ...causal, left_window_size: 2 };
  const four = builder.op('Attention', [three, x, x], windowed, { nodeName: 'block4.attention' });
  builder.output('y', builder.op('StopGradient', [four]));
  builder.output('features', features);
  return builder.build();
}

/** A range that training observes, and rounding of weights and of what flows. */
function rounded(): Graph {
  const builder = new GraphBuilder('rounded');
  const x = builder.input('x', 'float32', ['batch', 4]);
  const range = builder.constant(tensor(1.5), { name: 'range' });
  const half = builder.scalar(0.5, 'float32');
  const next = builder.op('Mul', [builder.op('Add', [range, builder.op('ReduceMax', [x], { keepdims: 0 })]), half]);
  const scale = builder.op('Div', [builder.op('TrainingSwitch', [range, next]), builder.scalar(7, 'float32')]);
  const attributes = { low: -7, high: 7 };
  const coarse = builder.op('FakeQuantize', [x, scale], attributes);
  const weight = builder.constant(tensor(row(12), { shape: [4, 3] }), { name: 'kernel' });
  const steps = builder.constant(tensor([0.1, 0.2, 0.3]), { name: 'steps' });
  const zeros = builder.constant(tensor([1, 2, 3]), { name: 'zeros' });
  const kernel = builder.op('FakeQuantize', [weight, steps, zeros], attributes);
  const y = builder.op('MatMul', [coarse, kernel]);
  builder.output('y', builder.op('TrainingSwitch', [y, builder.op('TrackStatistic', [y, range, next])]));
  return builder.build();
}

/** Graphs with ops that ONNX lacks, and inputs for them. */
export const networks: { readonly [name: string]: { readonly graph: Graph; readonly inputs: TensorMap } } = {
  rounded: { graph: rounded(), inputs: { x: tensor(row(8), { shape: [2, 4] }) } },
  noisy: { graph: noisy(), inputs: { x: tensor(row(8), { shape: [2, 4] }) } },
  attentive: { graph: attentive(), inputs: { tokens: tensor(row(80), { shape: [2, 5, 8] }) } },
};
