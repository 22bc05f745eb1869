import { describe, expect, test } from 'vitest';
import type { ErrorCode } from './errors.js';
import { isModelwrightError, ModelwrightError } from './errors.js';
import { backpropagate } from './gradient/backpropagate.js';
import type { Value } from './graph/graph.js';
import { GraphBuilder } from './graph/graph-builder.js';
import { Model } from './model.js';
import { createPredictor } from './predictor.js';
import { createReferenceBackend } from './reference/reference-backend.js';
import { Tensor, tensor, zeros } from './tensor/tensor.js';

/** A mistake that users make, and what they are told. */
interface Mistake {
  readonly make: () => unknown;
  readonly code: ErrorCode;
  readonly message: string;
}

/** A builder inside of a layer, as the layer API has it. */
function inLayer<T>(kind: string, name: string, build: (builder: GraphBuilder) => T): T {
  const builder = new GraphBuilder('net');
  return builder.scoped({ kind, name }, () => build(builder));
}

function model(): Model {
  const builder = new GraphBuilder('classifier');
  const image = builder.input('image', 'float32', ['batch', 4]);
  const kernel = builder.constant(zeros('float32', [4, 2]), { name: 'head.kernel' });
  builder.output('scores', builder.op('MatMul', [image, kernel]));
  const parameters = [{ name: 'head.kernel', value: kernel, trainable: true, role: 'weight' as const }];
  return new Model({ name: 'classifier', graph: builder.build(), parameters });
}

async function predict(
  inputs: Parameters<Awaited<ReturnType<typeof createPredictor>>['predict']>[0],
): Promise<unknown> {
  const predictor = await createPredictor(model(), createReferenceBackend());
  return predictor.predict(inputs);
}

const mistakes: { readonly [what: string]: Mistake } = {
  'ragged nested arrays': {
    make: () => tensor([[1, 2], [3]]),
    code: 'shape-mismatch',
    message: 'ragged values: element 1 at depth 0 has shape [1], its neighbours [2]',
  },
  'data that does not fill its shape': {
    make: () => new Tensor('float32', [2, 3], new Float32Array(5)),
    code: 'shape-mismatch',
    message: 'a tensor of shape [2,3] has 6 elements, but 5 values were given',
  },
  'the wrong typed array': {
    make: () => new Tensor('float32', [2], new Float64Array(2) as never),
    code: 'dtype-mismatch',
    message: 'a float32 tensor cannot be stored in Float64Array',
  },
  'a tensor beyond all memory': {
    make: () => zeros('float32', [2 ** 20, 2 ** 20]),
    code: 'limit-exceeded',
    message: '1099511627776 elements of float32 do not fit into memory',
  },
  'adding layers of different widths': {
    make: () =>
      inLayer('add', 'block1.add', (b) =>
        b.op('Add', [b.input('a', 'float32', [8, 32]), b.input('b', 'float32', [8, 64])]),
      ),
    code: 'shape-mismatch',
    message: "add 'block1.add': shapes [8,32] and [8,64] do not broadcast together",
  },
  'mixing dtypes': {
    make: () =>
      inLayer('multiply', 'gate', (b) => b.op('Mul', [b.input('a', 'float32', [2]), b.input('b', 'float16', [2])])),
    code: 'dtype-mismatch',
    message: "multiply 'gate': inputs have different dtypes: float32, float16",
  },
  'reshaping to another number of elements': {
    make: () =>
      inLayer('reshape', 'to_image', (b) =>
        b.op('Reshape', [b.input('x', 'float32', ['batch', 700]), b.integers([0, 28, 28])]),
      ),
    code: 'shape-mismatch',
    message:
      "reshape 'to_image': [batch,700] (700*batch elements) cannot be reshaped to [batch,28,28] (784*batch elements)",
  },
  'joining tensors that disagree elsewhere': {
    make: () =>
      inLayer('concatenate', 'merge', (b) =>
        b.op('Concat', [b.input('a', 'float32', [4, 8]), b.input('b', 'float32', [5, 8])], { axis: 1 }),
      ),
    code: 'shape-mismatch',
    message: "concatenate 'merge': [4,8] and [5,8] cannot be joined along axis 1: all other axes must agree",
  },
  'an axis that is not there': {
    make: () => inLayer('concatenate', 'merge', (b) => b.op('Concat', [b.input('a', 'float32', [4, 8])], { axis: 2 })),
    code: 'invalid-attribute',
    message: "concatenate 'merge': axis 2 is out of range for rank 2; allowed is -2…1",
  },
  'a permutation that is none': {
    make: () =>
      inLayer('permute', 'swap', (b) => b.op('Transpose', [b.input('x', 'float32', [2, 3, 4])], { perm: [0, 2, 2] })),
    code: 'invalid-attribute',
    message: "permute 'swap': perm [0,2,2] is not a permutation of the 3 axes",
  },
  'a constant index past the end': {
    make: () =>
      inLayer('embedding', 'words', (b) =>
        b.op('Gather', [b.input('table', 'float32', [100, 8]), b.integers([5, 100])]),
      ),
    code: 'value-out-of-range',
    message: "embedding 'words': index 100 is out of range for axis 0 of extent 100; allowed is -100…99",
  },
  'a dropout rate that is no probability': {
    make: () =>
      inLayer('dropout', 'drop', (b) => b.op('Dropout', [b.input('x', 'float32', [2]), b.scalar(1.5, 'float32')])),
    code: 'value-out-of-range',
    message: "dropout 'drop': ratio 1.5 is not a probability; allowed is 0…1",
  },
  'a misspelt attribute': {
    make: () =>
      inLayer('flatten', 'flat', (b) => b.op('Flatten', [b.input('x', 'float32', [2, 3])], { axes: 1 } as never)),
    code: 'invalid-attribute',
    message: "flatten 'flat': Flatten has no attribute 'axes'; allowed: axis",
  },
  'a missing input of an op': {
    make: () => inLayer('gather', 'pick', (b) => b.op('Gather', [b.input('x', 'float32', [2, 3])])),
    code: 'invalid-graph',
    message: "gather 'pick': takes 2 inputs, 1 were given",
  },
  'two outputs of one name': {
    make: () => {
      const builder = new GraphBuilder('twins');
      const x = builder.input('x', 'float32', [1]);
      builder.output('y', x);
      builder.output('y', x);
    },
    code: 'invalid-graph',
    message: "graph 'twins' already has an output 'y'",
  },
  'training through an op without a gradient': {
    make: () => {
      const builder = new GraphBuilder('stuck');
      const x = builder.input('x', 'float32', [3]);
      const y = builder.scoped({ name: 'noise', kind: 'bernoulli' }, () => builder.op('Bernoulli', [x]));
      backpropagate(builder, [{ value: y }], [x]);
    },
    code: 'not-differentiable',
    message: "no gradient passes Bernoulli 'noise/Bernoulli', but a trainable weight lies before it",
  },
  'training with an open batch size': {
    make: () => {
      const builder = new GraphBuilder('open');
      const x = builder.input('x', 'float32', ['batch', 3]);
      backpropagate(builder, [{ value: builder.op('Neg', [x], {}, { name: 'loss' }) }], [x]);
    },
    code: 'unsupported-shape',
    message: "'loss' has the symbolic shape [batch,3]; concrete extents are needed here",
  },
  'a weight name that does not exist': {
    make: () => model().setWeights({ 'head.weight': zeros('float32', [4, 2]) }),
    code: 'invalid-argument',
    message: "model 'classifier' has no weight 'head.weight'; it has: head.kernel",
  },
  'a weight of the wrong shape': {
    make: () => model().setWeights({ 'head.kernel': zeros('float32', [2, 4]) }),
    code: 'shape-mismatch',
    message: "weight 'head.kernel' has shape [4,2], [2,4] was given",
  },
  'predicting without an input': {
    make: () => predict({}),
    code: 'invalid-argument',
    message: "'classifier' needs the input 'image' (float32 [batch,4]); inputs are: image",
  },
  'predicting with a misspelt input': {
    make: () => predict({ img: [[1, 2, 3, 4]] }),
    code: 'invalid-argument',
    message: "there is no input 'img'; inputs are: image",
  },
  'predicting on samples of the wrong size': {
    make: () => predict({ image: [[1, 2, 3]] }),
    code: 'shape-mismatch',
    message: "input 'image' of 'classifier' has shape [batch,4], but [1,3] was given",
  },
  'predicting on one sample without its batch axis': {
    make: () => predict({ image: [1, 2, 3, 4] }),
    code: 'shape-mismatch',
    message: "input 'image' of 'classifier' has shape [batch,4], but [4] was given",
  },
  'predicting on flat data that does not divide into samples': {
    make: () => predict(new Float32Array(10)),
    code: 'shape-mismatch',
    message: "input 'image' has shape [batch,4]; 10 values do not fill it",
  },
  'predicting on bytes where floats are needed': {
    make: () => predict(new Uint8Array(4)),
    code: 'dtype-mismatch',
    message: "input 'image' is float32; it cannot be read from Uint8Array",
  },
  'predicting after dispose': {
    make: async () => {
      const predictor = await createPredictor(model(), createReferenceBackend());
      await predictor.dispose();
      return predictor.predict([[1, 2, 3, 4]]);
    },
    code: 'resource-disposed',
    message: "program 'classifier' was disposed",
  },
  'a node that nobody knows': {
    make: () => {
      const builder = new GraphBuilder('imported');
      const x: Value = builder.input('x', 'float32', [1]);
      const [y] = builder.foreign({
        op: 'FancyAttention',
        domain: 'com.example',
        inputs: [x],
        attributes: {},
        outputs: [{ dtype: 'float32', shape: [1] }],
        nodeName: 'attention_7',
      });
      builder.output('y', y as Value);
      return createReferenceBackend().compile({ graph: builder.build(), state: [] });
    },
    code: 'unsupported-op',
    message: "the reference backend has no op 'com.example:FancyAttention' (node 'attention_7')",
  },
};

describe('what users are told', () => {
  test.each(Object.entries(mistakes))('%s', async (_, { make, code, message }) => {
    const error = await Promise.resolve()
      .then(make)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ModelwrightError);
    const { code: actual, message: told } = error as ModelwrightError;
    expect({ code: actual, message: told }).toEqual({ code, message });
  });
});

test('an error of another installed copy is recognised', () => {
  const foreign = new Error('from elsewhere') as Error & { [key: symbol]: unknown; code?: string };
  expect(isModelwrightError(foreign)).toBe(false);
  foreign[Symbol.for('modelwright.error')] = true;
  foreign.code = 'aborted';
  expect(isModelwrightError(foreign)).toBe(true);
  expect(isModelwrightError(foreign, 'aborted')).toBe(true);
  expect(isModelwrightError(foreign, 'not-finite')).toBe(false);
  expect(isModelwrightError(undefined)).toBe(false);
});

test('an error carries what it is about, and its cause', () => {
  const cause = new RangeError('inner');
  const error = new ModelwrightError('limit-exceeded', 'outer', { layer: 'stem', given: 3, cause });
  expect(error.details.layer).toBe('stem');
  expect(error.cause).toBe(cause);
  expect(error.name).toBe('ModelwrightError');
});
