/**
 * The best script one would write by hand for a perceptron: the forward and backward graph node by node, ONNX Runtime
 * through its C API with weights and gradients in place in one WebAssembly memory, Adam as one SIMD pass over it.
 */
import { type DType, fromNumbers, type Graph, GraphBuilder, Tensor, type Value } from '@modelwright/core';
import { writeOnnx } from '@modelwright/onnx';
import { adamKernel } from '../adam-kernel.js';
import { type Network, samplesOf } from '../networks.js';

// Inner parts of the backend, which it does not export; loaded by path on purpose.
interface EngineValue {
  readonly tensor: Tensor;
}
interface Engine {
  readonly kind: string;
  createSession(bytes: Uint8Array): Promise<{
    plan(
      inputs: readonly string[],
      outputs: readonly string[],
    ): { run(inputs: readonly EngineValue[], outputs: readonly EngineValue[]): Promise<unknown> };
  }>;
  createValue(tensor: Tensor): EngineValue;
}
interface WasmParts {
  compileLoop(name: string, kernel: object): object;
  encodeModule(functions: readonly object[], pages: object): Uint8Array;
  createWasmMemory(): { readonly buffer: ArrayBuffer; grow(pages: number): number };
  instantiate(
    bytes: Uint8Array,
    memory: object,
  ): Promise<{ readonly [name: string]: (...addresses: number[]) => void }>;
}

const inner = async <T>(path: string): Promise<T> =>
  (await import(new URL(`../../../packages/backend-onnxruntime/dist/${path}.js`, import.meta.url).href)) as T;

/** A perceptron that trains without any of Modelwright's trainers. */
export interface PerceptronByHand {
  readonly engine: string;
  /** One step of Adam, always on the same batch. */
  train(): Promise<void>;
  loss(): number;
}

/** Builds it for `mlp` or `wide`. */
export async function perceptronByHand(network: Network): Promise<PerceptronByHand> {
  const { batchSize } = network;
  const hidden = network.name === 'wide' ? 2800 : 512;
  const extents = [784, hidden, hidden, 10] as const;
  const weightShapes = [0, 1, 2].flatMap((layer): (readonly number[])[] => {
    const [inputs, outputs] = extents.slice(layer, layer + 2) as [number, number];
    return [[inputs, outputs], [outputs]];
  });

  const { createEngine } = await inner<{ createEngine(kind: 'native'): Promise<Engine> }>('engine/create-engine');
  const { createWasmMemory, instantiate } = await inner<WasmParts>('wasm/web-assembly');
  const { compileLoop } = await inner<WasmParts>('wasm/compile-loop');
  const { encodeModule } = await inner<WasmParts>('wasm/encode-module');

  const engine = await createEngine('native');
  const session = await engine.createSession(writeOnnx(trainingGraph(batchSize, weightShapes)).bytes);
  const counts = weightShapes.map((shape) => shape.reduce((product, extent) => product * extent, 1));
  const total = counts.reduce((sum, count) => sum + Math.ceil(count / 4) * 4, 0);

  // Scalars first, then weights, gradients, first and second moments, each a run of `total` floats.
  const memory = createWasmMemory();
  memory.grow(Math.ceil((64 + 16 * total) / 65_536));
  const { update } = await instantiate(
    encodeModule([compileLoop('update', adamKernel)], { minimum: 1, maximum: 65_536 }),
    memory,
  );
  const scalars = new Float32Array(memory.buffer, 16, 1);
  const addressOf = (array: number): number => 64 + 4 * total * array;
  const views = (array: number): EngineValue[] => {
    let at = addressOf(array);
    return weightShapes.map((shape, index) => {
      const count = counts[index] as number;
      const data = new Float32Array(memory.buffer, at, count);
      at += Math.ceil(count / 4) * 16;
      return engine.createValue(new Tensor('float32', shape, data));
    });
  };
  const [weights, gradients] = [views(0), views(1)];
  initialize();

  const { x, y } = samplesOf(network, batchSize);
  const feeds = [
    engine.createValue(new Tensor('float32', [batchSize, 784], x)),
    engine.createValue(new Tensor('int32', [batchSize], y)),
  ];
  const loss = engine.createValue(new Tensor('float32', [], new Float32Array(1)));
  const names = weightShapes.map((_, index) => `w${index}`);
  const plan = session.plan(['x', 'y', ...names], [...names.map((name) => `d${name}`), 'loss']);
  let step = 0;
  return { engine: engine.kind, train, loss: () => Number(loss.tensor.data[0]) };

  async function train(): Promise<void> {
    await plan.run([...feeds, ...weights], [...gradients, loss]);
    step++;
    scalars[0] = (1e-3 * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
    update?.(addressOf(0), addressOf(1), addressOf(2), addressOf(3), 16, total);
  }

  function initialize(): void {
    const { x: random } = samplesOf(network, Math.ceil(total / 784));
    weights.forEach(({ tensor }, index) => {
      const [inputs = 1] = tensor.shape;
      if (tensor.rank === 1) return;
      const scale = Math.sqrt(6 / inputs);
      (tensor.data as Float32Array).set(random.subarray(0, counts[index]).map((u) => (2 * u - 1) * scale));
    });
  }
}

/** Cross-entropy of a perceptron of two hidden layers and the gradients of its weights. */
function trainingGraph(batchSize: number, weightShapes: readonly (readonly number[])[]): Graph {
  const b = new GraphBuilder('perceptron');
  const x = b.input('x', 'float32', [batchSize, 784]);
  const y = b.input('y', 'int32', [batchSize]);
  const [w0, b0, w1, b1, w2, b2] = weightShapes.map((shape, index) => b.input(`w${index}`, 'float32', shape)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const h0 = b.op('Relu', [b.op('Gemm', [x, w0, b0])]);
  const h1 = b.op('Relu', [b.op('Gemm', [h0, w1, b1])]);
  const p = b.op('Softmax', [b.op('Gemm', [h1, w2, b2])], { axis: 1 });
  const places = b.op('Unsqueeze', [y, b.integers([1])]);
  const picked = b.op('GatherElements', [p, places], { axis: 1 });
  b.output('loss', b.op('Neg', [b.op('ReduceMean', [b.op('Log', [picked])], { keepdims: 0 })]));
  const less = b.op('Sub', [picked, scalar(b, 1)]);
  const dz2 = b.op('Mul', [b.op('ScatterElements', [p, places, less], { axis: 1 }), scalar(b, 1 / batchSize)]);
  const dz1 = masked(b, b.op('Gemm', [dz2, w2], { transB: 1 }), h1);
  const dz0 = masked(b, b.op('Gemm', [dz1, w1], { transB: 1 }), h0);
  const pairs: readonly (readonly [Value, Value])[] = [
    [x, dz0],
    [h0, dz1],
    [h1, dz2],
  ];
  pairs.forEach(([input, dz], layer) => {
    b.output(`dw${2 * layer}`, b.op('Gemm', [input, dz], { transA: 1 }));
    b.output(`dw${2 * layer + 1}`, b.op('ReduceSum', [dz, b.integers([0])], { keepdims: 0 }));
  });
  return b.build();
}

// A very steep HardSigmoid is the fastest mask that ONNX Runtime has: 0 at 0, 1 above.
function masked(b: GraphBuilder, dh: Value, h: Value): Value {
  return b.op('Mul', [dh, b.op('HardSigmoid', [h], { alpha: 1e30, beta: 0 })]);
}

function scalar(b: GraphBuilder, value: number): Value {
  return b.constant(fromNumbers('float32' satisfies DType, [], [value]), { name: 'scalar' });
}
