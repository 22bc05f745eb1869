import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  evaluateGraph,
  type Graph,
  GraphBuilder,
  inlineTrainingForm,
  isModelwrightError,
  Model,
  print,
  type Tensor,
  type TensorMap,
  tensor,
  toInference,
  toNumbers,
  type Value,
  verify,
} from '@modelwright/core';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { readOnnx, readOnnxHeader, writeOnnx } from '../src/index.js';
import { trainingCondition } from '../src/own-names.js';
import { networks } from './own-ops.cases.js';
import { type FunctionInit, info, modelBytes, type NodeInit, node } from './protos.js';

/** What the graph computes when it trains, with random numbers of a seed. */
function trainingResults(graph: Graph, inputs: TensorMap): TensorMap {
  const builder = new GraphBuilder(graph.name);
  const bindings = new Map(
    graph.inputs.map((input) => [input, builder.input(input.name, input.dtype, inputs[input.name]?.shape ?? [])]),
  );
  const { outputs } = inlineTrainingForm(builder, graph, bindings, { seed: 3, counter: builder.scalar(5, 'int64') });
  graph.outputs.forEach(({ name }, index) => {
    builder.output(name, outputs[index] as Value);
  });
  return evaluateGraph(builder.build(), inputs);
}

async function runtimeResults(bytes: Uint8Array, inputs: TensorMap): Promise<{ readonly [name: string]: Tensor }> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]) => [
      name,
      new RuntimeTensor(dtype as 'float32', data as Float32Array, [...shape]),
    ]);
    const results = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(
      session.outputNames.map((name) => {
        const { data, dims, type } = results[name] as RuntimeTensor;
        return [
          name,
          tensor([...(data as unknown as Iterable<number>)].map(Number), { dtype: type as 'float32', shape: dims }),
        ];
      }),
    );
  } finally {
    await session.release();
  }
}

function expectNear(given: TensorMap, wanted: TensorMap): void {
  expect(Object.keys(given)).toEqual(Object.keys(wanted));
  for (const [name, expected] of Object.entries(wanted)) {
    expect(given[name]?.shape, name).toEqual(expected.shape);
    const numbers = toNumbers(given[name] as Tensor);
    toNumbers(expected).forEach((number, index) => {
      expect(numbers[index], `${name}[${index}]`).toBeCloseTo(number, 5);
    });
  }
}

describe.each(Object.entries(networks))('%s', (name, { graph, inputs }) => {
  // 24 has every op itself but Modelwright's own.
  it.each([17, 20, 21, 22, 23])('comes back as it was from a file of opset %d', (opset) => {
    const { bytes } = writeOnnx(graph, { opset });
    const again = readOnnx(bytes).graph;
    verify(again);
    const ops = (each: Graph): string[] => each.nodes.map(({ op }) => op).sort();
    expect(ops(again)).toEqual(ops(graph));
    expectNear(evaluateGraph(toInference.run(again), inputs), evaluateGraph(toInference.run(graph), inputs));
    expectNear(trainingResults(again, inputs), trainingResults(graph, inputs));
    // And again from there.
    expect(print(readOnnx(writeOnnx(again, { opset }).bytes).graph)).toBe(print(again));
  });

  it.each([17, 21])('means to ONNX Runtime what it infers, from a file of opset %d', async (opset) => {
    const { bytes } = writeOnnx(graph, { opset });
    expectNear(await runtimeResults(bytes, inputs), evaluateGraph(toInference.run(graph), inputs));
  });

  it('has nothing of the kind in a file of the bare computation', () => {
    const { bytes } = writeOnnx(graph, { trainingMetadata: false });
    expect(readOnnxHeader(bytes)).toMatchObject({ functionCount: 0, opsets: { '': 21 } });
    expectNear(evaluateGraph(readOnnx(bytes).graph, inputs), evaluateGraph(toInference.run(graph), inputs));
    expect(name).toBeTruthy();
  });
});

it('has one function for all nodes with the same body', () => {
  const { functionCount, opsets } = readOnnxHeader(writeOnnx((networks['attentive'] as { graph: Graph }).graph).bytes);
  // Two of Positions, one for each axis; three of Attention; StopGradient.
  expect(functionCount).toBe(6);
  expect(opsets).toEqual({ '': 21, 'ai.modelwright': 1 });
});

it('keeps parameters that only training reads', () => {
  const builder = new GraphBuilder('model');
  const x = builder.input('x', 'float32', ['batch', 2]);
  const scale = builder.constant(tensor([0.5, 2]), { name: 'noise.scale' });
  builder.output('y', builder.op('TrainingSwitch', [x, builder.op('Mul', [x, scale])]));
  const parameters = [{ name: 'noise.scale', value: scale, trainable: true, role: 'weight' as const }];
  const again = readOnnx(writeOnnx(new Model({ name: 'model', graph: builder.build(), parameters })).bytes);
  expect(again.parameters).toMatchObject([{ name: 'noise.scale', trainable: true }]);
  const [node] = again.graph.nodes.filter(({ op }) => op === 'Mul');
  expect(node?.inputs[1]).toBe(again.parameters[0]?.value);
});

describe('files that are wrong about it', () => {
  const codeOf = (bytes: Uint8Array): unknown => {
    try {
      readOnnx(bytes);
      return undefined;
    } catch (error) {
      return isModelwrightError(error) ? error.code : error;
    }
  };
  const own = { domain: 'ai.modelwright' };
  const file = (nodes: NodeInit[], functions: FunctionInit[] = []): Uint8Array =>
    modelBytes({ input: [info('x', [2])], node: nodes, output: [info('y', [2])] }, { functions });
  const identity = { domain: 'ai.modelwright', input: ['a'], output: ['b'], node: [node('Identity', ['a'], ['b'])] };

  it('end in typed errors', () => {
    expect(codeOf(file([node('Attention', ['x'], ['y'], own)]))).toBe('invalid-graph');
    expect(codeOf(file([node('Attention', ['x', 'x', 'x'], ['y'], own)], [{ ...identity, name: 'Attention' }]))).toBe(
      'shape-mismatch',
    );
    expect(codeOf(file([node('If', [trainingCondition], ['y'])]))).toBe('invalid-model');
    expect(codeOf(file([node('Neg', [trainingCondition], ['y'])]))).toBe('invalid-model');
  });

  it('are read by the body of a function that stands for no op', () => {
    const named = (name: string): Graph =>
      readOnnx(file([node(name, ['x'], ['y'], own)], [{ ...identity, name }])).graph;
    expect(named('Other').nodes.map(({ op }) => op)).toEqual(['Identity']);
    expect(named('StopGradient_7').nodes.map(({ op }) => op)).toEqual(['StopGradient']);
  });
});

const python = '/usr/bin/python3';
const checks = spawnSync(python, ['-c', 'import onnx'], { encoding: 'utf8' }).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'modelwright-own-ops-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Of the opsets written here, Debian's onnx knows 17.
describe.skipIf(!checks)('the checker of the onnx package for Python (skipped where it is not installed)', () => {
  it.each(Object.entries(networks))('accepts %s', (name, { graph }) => {
    const file = join(folder, `${name}.onnx`);
    writeFileSync(file, writeOnnx(graph, { opset: 17 }).bytes);
    const script = `import onnx, sys; model = onnx.load(sys.argv[1]); onnx.checker.check_model(model, full_check=True)`;
    const { status, stderr } = spawnSync(python, ['-c', script, file], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
