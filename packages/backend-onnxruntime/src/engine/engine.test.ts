import { isModelwrightError, Tensor } from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeModel, type TestModel } from '../../test/onnx-bytes.js';
import { createEngine } from './create-engine.js';
import type { EngineValue } from './engine.js';

const float = 1;
const addition: TestModel = {
  inputs: [
    { name: 'a', type: float, dims: ['n', 4] },
    { name: 'b', type: float, dims: [4] },
  ],
  outputs: [{ name: 'y', type: float, dims: ['n', 4] }],
  nodes: [{ op: 'Add', inputs: ['a', 'b'], outputs: ['y'] }],
};

function floats(shape: readonly number[], data: Float32Array): Tensor {
  return new Tensor('float32', shape, data);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isModelwrightError(error) ? error.code : String(error)),
  );
}

describe.each([
  ['native', false],
  ['binding', false],
  ['binding', true],
] as const)('the %s engine, in a worker: %s', (kind, worker) => {
  const opened = createEngine(kind, { worker });
  afterAll(async () => (await opened).dispose());

  const value = async (tensor: Tensor): Promise<EngineValue> => (await opened).createValue(tensor);

  it('tells names, types and open dimensions', async () => {
    const session = await (await opened).createSession(encodeModel(addition));
    expect(session.inputs).toEqual([
      { name: 'a', dtype: 'float32', shape: ['n', 4] },
      { name: 'b', dtype: 'float32', shape: [4] },
    ]);
    expect(session.outputs[0]?.name).toBe('y');
  });

  it('writes into memory of the caller, WebAssembly memory included, and allocates where none is given', async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const session = await (await opened).createSession(encodeModel(addition));
    const plan = session.plan(['a', 'b'], ['y']);
    const bias = floats([4], new Float32Array(memory.buffer, 64, 4));
    (bias.data as Float32Array).set([1, 2, 3, 4]);
    const inputs = [await value(floats([2, 4], new Float32Array(8).fill(1))), await value(bias)];
    const target = floats([2, 4], new Float32Array(memory.buffer, 256, 8));
    expect(await plan.run(inputs, [await value(target)])).toEqual([target]);
    expect(target.data).toEqual(Float32Array.of(2, 3, 4, 5, 2, 3, 4, 5));
    expect((await plan.run(inputs, [null]))[0]).toEqual(floats([2, 4], target.data.slice() as Float32Array));
  });

  it('serves concurrent runs of one session', async () => {
    const session = await (await opened).createSession(encodeModel(addition));
    const plan = session.plan(['a', 'b'], ['y']);
    const zero = await value(floats([4], new Float32Array(4)));
    const runs = Array.from({ length: 40 }, async (_, index) => {
      const input = await value(floats([1, 4], new Float32Array(4).fill(index)));
      return (await plan.run([input, zero], [null]))[0]?.data[0];
    });
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  it('carries strings and empty tensors', async () => {
    const text = 8;
    const model: TestModel = {
      inputs: [{ name: 'x', type: text, dims: ['n'] }],
      outputs: [{ name: 'y', type: text, dims: ['n'] }],
      nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
    };
    const plan = (await (await opened).createSession(encodeModel(model))).plan(['x'], ['y']);
    const words = ['', 'größer', '語'];
    const [result] = await plan.run([await value(new Tensor('string', [3], words))], [null]);
    expect(result?.data).toEqual(words);
    const sum = (await (await opened).createSession(encodeModel(addition))).plan(['a', 'b'], ['y']);
    const empty = await value(floats([0, 4], new Float32Array(0)));
    const [nothing] = await sum.run([empty, await value(floats([4], new Float32Array(4)))], [null]);
    expect(nothing?.shape).toEqual([0, 4]);
  });

  it('refuses what would read outside of memory or end the process', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    expect(await codeOf(value(floats([4], shared)))).toBe(kind === 'native' ? 'none' : 'invalid-argument');
    const lent = new Float32Array(4);
    const detached = floats([4], lent);
    structuredClone(detached.data, { transfer: [lent.buffer] });
    expect(await codeOf(value(detached))).toBe('shape-mismatch');
    expect(await codeOf(value(new Tensor('int4', [2], new Int8Array(2))))).toBe('unsupported-dtype');
    const int4 = 22;
    const model: TestModel = {
      inputs: [{ name: 'x', type: 1, dims: [2] }],
      outputs: [{ name: 'y', type: int4, dims: [2] }],
      nodes: [{ op: 'Cast', inputs: ['x'], outputs: ['y'], attributes: { to: int4 } }],
    };
    expect(await codeOf((await opened).createSession(encodeModel(model)))).toBe('unsupported-dtype');
  });

  it('reports failures of the runtime as typed errors with its own message', async () => {
    const engine = await opened;
    const session = await engine.createSession(encodeModel(addition));
    const plan = session.plan(['a', 'b'], ['y']);
    const wrong = await value(floats([5], new Float32Array(5)));
    const run = plan.run([await value(floats([1, 4], new Float32Array(4))), wrong], [null]);
    await expect(run).rejects.toThrow(/Got: 5 Expected: 4/);
    expect(isModelwrightError(await run.catch((error: unknown) => error))).toBe(true);
    await expect(engine.createSession(encodeModel(addition).slice(0, 30))).rejects.toThrow(/protobuf/);
    expect(() => session.plan(['missing'], ['y'])).toThrow(/no input 'missing'/);
  });

  it('finishes runs under way before it frees a session', async () => {
    const session = await (await opened).createSession(encodeModel(addition));
    const plan = session.plan(['a', 'b'], ['y']);
    const zero = await value(floats([4], new Float32Array(4)));
    const large = await value(floats([100_000, 4], new Float32Array(400_000).fill(3)));
    const run = plan.run([large, zero], [null]);
    await session.dispose();
    expect((await run)[0]?.data[399_999]).toBe(3);
    expect(await codeOf(plan.run([large, zero], [null]))).toBe('resource-disposed');
  });
});
