import {
  fullTensor,
  GraphBuilder,
  inlineTrainingForm,
  onnxDataType,
  type Program,
  tensor,
  type Value,
  zeros,
} from '@modelwright/core';
import { type ConformanceProgram, meanSquaredError, TrainingStepBuilder, waves } from './program-builder.js';

const batch = 6;

/** Dense 7-16-4 with a fused cross-entropy on integer labels. */
export function perceptron(): ConformanceProgram {
  const training = new TrainingStepBuilder('perceptron');
  const { builder } = training;
  const x = builder.input('x', 'float32', [batch, 7]);
  const labels = builder.input('labels', 'int32', [batch]);
  const hidden = builder.op('Gemm', [x, training.weight('w1', [7, 16], 0.4), training.weight('b1', [16], 0.1)]);
  const logits = builder.op('Gemm', [
    builder.op('Relu', [hidden]),
    training.weight('w2', [16, 4], 0.3),
    training.weight('b2', [4], 0.1),
  ]);
  const [each] = builder.node('SparseSoftmaxCrossEntropy', [logits, labels], {}, { outputs: 2 });
  const loss = builder.op('ReduceMean', [each], { keepdims: 0 });
  builder.output('accuracy', accuracy(builder, logits, labels));
  return {
    name: 'perceptron',
    program: training.finish(loss),
    inputs: (step) => ({
      x: waves(`perceptron x ${step}`, [batch, 7]),
      labels: tensor([0, 1, 2, 3, 1, 2], { dtype: 'int32' }),
    }),
  };
}

// Labels and places of maxima are compared as int64, the type that ArgMax gives.
function accuracy(builder: GraphBuilder, logits: Value, labels: Value): Value {
  const predicted = builder.op('ArgMax', [logits], { axis: -1, keepdims: 0 });
  const matches = builder.op('Equal', [builder.op('Cast', [labels], { to: onnxDataType('int64') }), predicted]);
  const shares = builder.op('Cast', [matches], { to: onnxDataType('float32') });
  return builder.op('ReduceMean', [shares], { keepdims: 0 });
}

/** Convolution, batch normalization with running statistics, ReLU, max pooling, dropout, dense. */
export function convolutionBlock(): ConformanceProgram {
  const training = new TrainingStepBuilder('convolution block');
  const { builder } = training;
  const x = builder.input('x', 'float32', [batch, 2, 8, 8]);
  const target = builder.input('target', 'float32', [batch, 3]);
  const filters = training.weight('filters', [4, 2, 3, 3], 0.5);
  const convolved = builder.op('Conv', [x, filters, training.weight('bias', [4], 0.1)], { pads: [1, 1, 1, 1] });
  const [normalized, mean] = builder.node(
    'BatchNormalizationTraining',
    [convolved, training.weight('gamma', [4], 1), training.weight('beta', [4], 0.5)],
    { epsilon: 1e-3 },
    { outputs: 3 },
  );
  training.carry('running mean', zeros('float32', [4]), (running) => movingAverage(builder, running, mean as Value));
  const pooled = builder.op('MaxPool', [builder.op('Relu', [normalized])], { kernel_shape: [2, 2], strides: [2, 2] });
  const flat = builder.op('Flatten', [dropout(training, pooled)]);
  const y = builder.op('Gemm', [flat, training.weight('w', [64, 3], 0.2), training.weight('b', [3], 0.1)]);
  return {
    name: 'convolution block',
    program: training.finish(meanSquaredError(builder, y, target)),
    inputs: (step) => ({
      x: waves(`convolution x ${step}`, [batch, 2, 8, 8]),
      target: waves('convolution target', [batch, 3]),
    }),
  };
}

// 0.9·running + 0.1·drawn
function movingAverage(builder: GraphBuilder, running: Value, drawn: Value): Value {
  const held = builder.op('Mul', [running, builder.scalar(0.9, 'float32')]);
  return builder.op('Add', [held, builder.op('Mul', [drawn, builder.scalar(0.1, 'float32')])]);
}

// Through core's own training form, so that the mask comes from the counter.
function dropout(training: TrainingStepBuilder, x: Value): Value {
  const authored = new GraphBuilder('dropout');
  const input = authored.input('x', 'float32', x.shape);
  authored.output('y', authored.op('Dropout', [input, authored.scalar(0.25, 'float32')]));
  const { builder } = training;
  const counter = training.carry('counter', tensor(0n, { dtype: 'int64' }), (current) =>
    builder.op('Add', [current, builder.scalar(1, 'int64')]),
  );
  const form = inlineTrainingForm(builder, authored.build(), new Map([[input, x]]), { seed: 11, counter });
  return form.outputs[0] as Value;
}

/** An Elman cell over five steps in a `Scan`, and its gradient, a reversed `Scan`. */
export function recurrentCell(): ConformanceProgram {
  const training = new TrainingStepBuilder('recurrent cell');
  const { builder } = training;
  const [steps, width] = [5, 4];
  const x = builder.input('x', 'float32', [steps, batch, 3]);
  const target = builder.input('target', 'float32', [batch, width]);
  const projected = builder.op('MatMul', [x, training.weight('input', [3, width], 0.6)]);
  const recurrent = training.weight('recurrent', [width, width], 0.5);
  const body = builder.subgraph('cell', (inner) => {
    const state = inner.input('state', 'float32', [batch, width]);
    const drive = inner.input('drive', 'float32', [batch, width]);
    const next = inner.op('Tanh', [inner.op('Add', [drive, inner.op('MatMul', [state, recurrent])])]);
    inner.output('next', next);
    inner.output('seen', inner.op('Identity', [next]));
  });
  const first = builder.constant(fullTensor('float32', [batch, width], 0.1));
  const [last] = builder.node('Scan', [first, projected], { body, num_scan_inputs: 1 }, { outputs: 2 });
  return {
    name: 'recurrent cell',
    program: training.finish(meanSquaredError(builder, last as Value, target)),
    inputs: (step) => ({
      x: waves(`recurrent x ${step}`, [steps, batch, 3]),
      target: waves('recurrent target', [batch, width], 0.8),
    }),
  };
}

/** Self-attention of one head with layer normalization and a residual connection; embeddings by `Gather`. */
export function attentionBlock(): ConformanceProgram {
  const training = new TrainingStepBuilder('attention block');
  const { builder } = training;
  const [length, width, words] = [4, 6, 9];
  const tokens = builder.input('tokens', 'int64', [batch, length]);
  const target = builder.input('target', 'float32', [batch, length, width]);
  const x = builder.op('Gather', [training.weight('embedding', [words, width], 0.7), tokens], { axis: 0 });
  const gamma = training.weight('gamma', [width], 1);
  const normal = builder.op('LayerNormalization', [x, gamma, training.weight('beta', [width], 0.2)], { axis: -1 });
  const [q, k, v] = ['q', 'k', 'v'].map((name) =>
    builder.op('MatMul', [normal, training.weight(name, [width, width], 0.5)]),
  );
  const scores = builder.op('MatMul', [q, builder.op('Transpose', [k], { perm: [0, 2, 1] })]);
  const scaled = builder.op('Mul', [scores, builder.scalar(1 / Math.sqrt(width), 'float32')]);
  const mixed = builder.op('MatMul', [builder.op('Softmax', [scaled], { axis: -1 }), v]);
  const y = builder.op('Add', [x, builder.op('Gelu', [mixed])]);
  return {
    name: 'attention block',
    program: training.finish(meanSquaredError(builder, y, target)),
    inputs: (step) => ({
      tokens: tensor(
        Array.from({ length: batch * length }, (_, index) => (index * 5 + step) % words),
        { dtype: 'int64', shape: [batch, length] },
      ),
      target: waves('attention target', [batch, length, width]),
    }),
  };
}

/** The training programs of the suite. */
export function conformancePrograms(): readonly ConformanceProgram[] {
  return [perceptron(), convolutionBlock(), recurrentCell(), attentionBlock()];
}

/** `y = 2x + s`, and `s` counts runs: the smallest program with state. */
export function counting(): Program {
  const builder = new GraphBuilder('counting');
  const x = builder.input('x', 'float32', [3]);
  const count = builder.input('count', 'float32', []);
  const doubled = builder.op('Mul', [x, builder.scalar(2, 'float32')]);
  builder.output('y', builder.op('Add', [doubled, count]));
  builder.output('count.next', builder.op('Add', [count, builder.scalar(1, 'float32')]));
  const initial = fullTensor('float32', [], 0);
  return { graph: builder.build(), state: [{ name: 'count', input: 'count', output: 'count.next', initial }] };
}
