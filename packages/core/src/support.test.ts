import { describe, expect, test } from 'vitest';
import { GraphBuilder } from './graph/graph-builder.js';
import { Model } from './model.js';
import { createReferenceBackend } from './reference/reference-backend.js';
import { supportOf } from './support.js';
import type { DType } from './tensor/dtype.js';
import { castTensor, zeros } from './tensor/tensor.js';

function twoLayerModel(): Model {
  const builder = new GraphBuilder('two-layers');
  const x = builder.input('x', 'float32', ['batch', 3]);
  const weight = builder.constant(zeros('float32', [3, 2]), { name: 'dense.kernel' });
  const hidden = builder.op('Relu', [builder.op('MatMul', [x, weight])]);
  const flat = builder.op('Reshape', [hidden, builder.integers([-1])]);
  builder.output('y', builder.op('Relu', [flat]));
  return new Model({ name: 'two-layers', graph: builder.build(), parameters: [] });
}

describe('whether a backend can run a model', () => {
  const { capabilities } = createReferenceBackend();

  test('it can if it has every op and dtype', () => {
    expect(supportOf(twoLayerModel(), capabilities)).toEqual({ runs: true, obstacles: [], notes: [] });
    const dtypesOnHost = new Set<DType>(['float32', 'int64']);
    expect(supportOf(twoLayerModel(), { ...capabilities, dtypesOnHost })).toEqual({
      runs: true,
      obstacles: [],
      notes: ['float32 is computed on the host: slow'],
    });
  });

  test('a missing op is named with its node, a missing dtype too', () => {
    const ops = new Set([...capabilities.ops].filter((op) => op !== 'MatMul'));
    const { runs, obstacles } = supportOf(twoLayerModel(), { ...capabilities, ops, dtypes: new Set(['int64']) });
    expect(runs).toBe(false);
    expect(obstacles).toEqual([expect.stringMatching(/^op MatMul \(node '.*MatMul.*'\)$/), 'dtype float32']);
  });

  test('4-bit weights need no arithmetic of 4 bits: they become floats while the model loads', () => {
    const builder = new GraphBuilder('blocks');
    const [x, scales] = [builder.input('x', 'float32', [2, 16]), builder.constant(zeros('float32', [1, 3]))];
    const codes = builder.constant(castTensor(zeros('float32', [16, 3]), 'int4'));
    const weight = builder.op('DequantizeLinear', [codes, scales], { axis: 0, block_size: 16 });
    const packed = builder.constant(zeros('uint8', [3, 1, 8]));
    const node = { op: 'MatMulNBits', domain: 'com.microsoft', attributes: { K: 16, N: 3, bits: 4, block_size: 16 } };
    const inputs = [x, packed, builder.constant(zeros('float32', [3, 1]))];
    const [other] = builder.foreign({ ...node, inputs, outputs: [{ dtype: 'float32', shape: [2, 3] }] });
    builder.output('y', builder.op('Add', [builder.op('MatMul', [x, weight]), other]));
    const model = new Model({ name: 'blocks', graph: builder.build(), parameters: [] });
    const dtypes = new Set<DType>(['float32', 'int64']);
    expect(supportOf(model, { ...capabilities, dtypes })).toEqual({ runs: true, obstacles: [], notes: [] });
  });

  test('an op that only somebody else knows runs where its backend lists it', () => {
    const builder = new GraphBuilder('foreign');
    const x = builder.input('x', 'float32', [2]);
    const node = { op: 'Magic', domain: 'com.example', inputs: [x], attributes: {}, outputs: [x] };
    builder.output('y', builder.foreign(node)[0]!);
    const model = new Model({ name: 'foreign', graph: builder.build(), parameters: [] });
    expect(supportOf(model, capabilities).obstacles[0]).toContain('op com.example:Magic');
    const ops = new Set([...capabilities.ops, 'com.example:Magic']);
    expect(supportOf(model, { ...capabilities, ops }).runs).toBe(true);
  });
});

test('small integers that flow on the host are slow, and are missed where there are none', () => {
  const builder = new GraphBuilder('quantized');
  const scale = builder.scalar(0.1, 'float32');
  const codes = builder.op('QuantizeLinear', [builder.input('x', 'float32', [2, 3]), scale]);
  builder.output('y', builder.op('DequantizeLinear', [codes, scale]));
  const model = new Model({ name: 'quantized', graph: builder.build(), parameters: [] });
  const { capabilities } = createReferenceBackend();
  const onHost = { ...capabilities, dtypesOnHost: new Set<DType>([codes.dtype]) };
  expect(supportOf(model, onHost).notes).toEqual([`${codes.dtype} is computed on the host: slow`]);
  const without = new Set([...capabilities.dtypes].filter((dtype) => dtype !== codes.dtype));
  expect(supportOf(model, { ...capabilities, dtypes: without }).obstacles).toEqual([`dtype ${codes.dtype}`]);
});
