/** Small models for the tests of serving. */
import { createHash } from 'node:crypto';
import { fromNumbers, GraphBuilder, Model, Tensor } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import type { ModelConfiguration } from '../contract/model-configuration.js';
import type { ModelArtifact } from '../contract/served-model.js';

const weights = (count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, at) => Math.sin(at * 1.7) / 2);

/** `softmax(relu(x · w) · v)`: `[batch, 4]` to `[batch, 3]`. */
export function classifier(name = 'classifier'): Model {
  const builder = new GraphBuilder(name);
  const x = builder.input('x', 'float32', ['batch', 4]);
  const w = builder.constant(fromNumbers('float32', [4, 8], weights(32)), { name: 'w' });
  const v = builder.constant(fromNumbers('float32', [8, 3], weights(24)), { name: 'v' });
  const hidden = builder.op('Relu', [builder.op('MatMul', [x, w])]);
  builder.output('y', builder.op('Softmax', [builder.op('MatMul', [hidden, v])], { axis: -1 }));
  const parameters = [w, v].map((value) => ({ name: value.name, value, trainable: true, role: 'weight' }) as const);
  return new Model({ name, graph: builder.build(), parameters });
}

/** `x / max(x)` over the whole batch: what dynamic quantization does to its ranges. */
export function batchRange(): Model {
  const builder = new GraphBuilder('batch-range');
  const x = builder.input('x', 'float32', ['batch', 4]);
  builder.output('y', builder.op('Div', [x, builder.op('ReduceMax', [x], { keepdims: 1 })]));
  return new Model({ name: 'batch-range', graph: builder.build(), parameters: [] });
}

/** The mean over open steps: `[batch, steps, 2]` to `[batch, 2]`. */
export function meanOverSteps(): Model {
  const builder = new GraphBuilder('steps');
  const x = builder.input('x', 'float32', ['batch', 'steps', 2]);
  const axes = builder.constant(new Tensor('int64', [1], BigInt64Array.of(1n)), { name: 'axes' });
  builder.output('y', builder.op('ReduceMean', [x, axes], { keepdims: 0 }));
  return new Model({ name: 'steps', graph: builder.build(), parameters: [] });
}

export function artifactOf(model: Model, configuration: ModelConfiguration = {}): ModelArtifact {
  const { bytes } = writeOnnx(model);
  return {
    name: model.name,
    version: '1',
    model,
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    configuration,
    tokenizers: new Map(),
  };
}

/** Examples of the classifier, the same for the same numbers. */
export function examples(rows: number, seed = 1, width = 4): Tensor<'float32'> {
  return new Tensor(
    'float32',
    [rows, width],
    Float32Array.from({ length: rows * width }, (_, at) => Math.sin(at * 0.9 + seed * 3.1)),
  );
}
