import { evaluateGraph, isModelwrightError, type ModelwrightError, tensor, toNumbers } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { type FunctionInit, type GraphInit, info, modelBytes, node } from '../../test/protos.js';
import { defaultReadLimits } from '../limits.js';
import { decodeModel } from '../protobuf/decode-model.js';
import { writeOnnx } from '../write/write-onnx.js';
import { type ReadOptions, readOnnx } from './read-onnx.js';

function refusal(bytes: Uint8Array, options: ReadOptions = {}): ModelwrightError {
  try {
    readOnnx(bytes, options);
  } catch (error) {
    if (isModelwrightError(error)) return error;
    throw error;
  }
  return expect.fail('was read');
}

const [x, y] = [info('x', [2]), info('y', [2])];
const weight = { name: 'w', dims: [2n], dataType: 1, rawData: new Uint8Array(8) };

describe('readOnnx refuses', () => {
  it.each<[string, GraphInit, RegExp]>([
    ['a cycle', { input: [x], node: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])] }, /cycle/],
    [
      'a node that reads itself',
      { input: [x], node: [node('Add', ['x', 'a'], ['a'], { name: 'self' })] },
      /cycle.*'self'/,
    ],
    [
      'a value nobody defines',
      { input: [x], node: [node('Add', ['x', 'ghost'], ['y'], { name: 'sum' })] },
      /node 'sum'.*'ghost'/,
    ],
    ['an output nobody defines', { input: [x], output: [y] }, /'y'/],
    [
      'two nodes for one value',
      { input: [x], node: [node('Relu', ['x'], ['y']), node('Neg', ['x'], ['y'])] },
      /'y' is defined twice/,
    ],
    ['two inputs of one name', { input: [x, x] }, /'x' is defined twice/],
    ['two initializers of one name', { initializer: [weight, weight] }, /'w' is defined twice/],
    ['an initializer without name', { initializer: [{ ...weight, name: '' }] }, /no name/],
    ['an input without type', { input: [{ name: 'x' }] }, /'x'.*no type/],
    [
      'an output of another dtype',
      { input: [x], node: [node('Relu', ['x'], ['y'])], output: [info('y', [2], 7)] },
      /declared int64/,
    ],
    ['a node without operator', { input: [x], node: [node('', ['x'], ['y'])] }, /no operator/],
    [
      'an attribute given twice',
      {
        input: [x],
        node: [
          node('Elu', ['x'], ['y'], {
            attribute: [
              { name: 'alpha', type: 1 },
              { name: 'alpha', type: 1 },
            ],
          }),
        ],
      },
      /'alpha' is given twice/,
    ],
    [
      'an attribute of the wrong kind',
      { input: [x], node: [node('Elu', ['x'], ['y'], { attribute: [{ name: 'alpha', type: 3 }] })] },
      /'alpha' is string/,
    ],
    ['a Constant without value', { node: [node('Constant', [], ['y'])] }, /exactly one value/],
  ])('%s', (_, graph, message) => {
    const error = refusal(modelBytes(graph), { file: 'broken.onnx' });
    expect(error.code).toBe('invalid-model');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^broken\.onnx: /);
  });

  it('shapes that contradict each other, naming the node', () => {
    const bytes = modelBytes({ input: [x, info('z', [3])], node: [node('Add', ['x', 'z'], ['y'], { name: 'sum' })] });
    expect(refusal(bytes)).toMatchObject({ code: 'shape-mismatch', details: { layer: 'sum', op: 'Add' } });
  });

  it('attributes Modelwright lacks, unless they have no effect', () => {
    const graph = (value: bigint): GraphInit => ({
      input: [x],
      node: [node('Relu', ['x'], ['y'], { attribute: [{ name: 'novelty', type: 2, i: value }] })],
    });
    expect(refusal(modelBytes(graph(1n))).code).toBe('unsupported-op');
    expect(readOnnx(modelBytes(graph(0n))).graph.nodes[0]?.attributes).toEqual({});
  });

  it.each([
    [{ opset: 6 }, /opset 6/],
    [{ opset: 99 }, /opset 99/],
    [{ irVersion: 2 }, /IR version 2/],
    [{ irVersion: 99 }, /IR version 99/],
  ])('versions outside of what it knows: %j', (versions, message) => {
    const error = refusal(modelBytes({ input: [x] }, versions));
    expect(error.code).toBe('unsupported-version');
    expect(error.message).toMatch(message);
  });

  it('an input without rank, until the caller tells it', () => {
    const bytes = modelBytes({ input: [info('x')], node: [node('Relu', ['x'], ['y'])], output: [info('y')] });
    expect(refusal(bytes)).toMatchObject({ code: 'unsupported-shape', details: { input: 'x' } });
    expect(readOnnx(bytes, { inputShapes: { x: ['n', 3] } }).graph.outputs[0]?.value.shape).toEqual(['n', 3]);
  });

  it('a sparse tensor that would become too large', () => {
    const sparse = {
      dims: [2n ** 30n],
      values: { ...weight, dims: [1n], rawData: new Uint8Array(4) },
      indices: { dims: [1n], dataType: 7, rawData: new Uint8Array(8) },
    };
    expect(refusal(modelBytes({ sparseInitializer: [sparse] })).code).toBe('limit-exceeded');
  });
});

describe('functions', () => {
  const call = (op: string, input: string, output: string) =>
    node(op, [input], [output], { domain: 'local', name: `${op}_${output}` });
  const define = (name: string, nodes: FunctionInit['node']): FunctionInit => ({
    name,
    domain: 'local',
    input: ['a'],
    output: ['r'],
    opsetImport: [{ domain: '', version: 17n }],
    node: nodes ?? [],
  });
  const main = (op: string): GraphInit => ({ input: [x], node: [call(op, 'x', 'y')], output: [y] });

  it('may not call themselves, directly or through others', () => {
    const functions = [define('A', [call('B', 'a', 'r')]), define('B', [call('A', 'a', 'r')])];
    expect(refusal(modelBytes(main('A'), { functions })).message).toMatch(/calls itself/);
  });

  it('may not multiply without bound', () => {
    const functions = Array.from({ length: 40 }, (_, level) =>
      define(`F${level}`, [call(`F${level + 1}`, 'a', 'm'), call(`F${level + 1}`, 'm', 'r')]),
    );
    const started = performance.now();
    expect(refusal(modelBytes(main('F0'), { functions }), { limits: { maxNodes: 10_000 } }).code).toBe(
      'limit-exceeded',
    );
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('leave out optional inputs their caller leaves out', () => {
    const clip = { ...define('Bound', [node('Clip', ['a', 'low', 'high'], ['r'])]), input: ['a', 'low', 'high'] };
    const bytes = modelBytes(
      {
        input: [x],
        initializer: [{ name: 'top', dataType: 1, rawData: new Uint8Array(4) }],
        node: [node('Bound', ['x', '', 'top'], ['y'], { domain: 'local', name: 'bounded' })],
        output: [y],
      },
      { functions: [clip] },
    );
    const result = evaluateGraph(readOnnx(bytes).graph, { x: tensor([-1, 1]) });
    expect([...toNumbers(result['y'] ?? tensor(0))]).toEqual([-1, 0]);
  });
});

describe('unknown ops', () => {
  it('keep attributes that are no text, byte by byte', () => {
    const s = Uint8Array.of(0xff, 0x00, 0xfe);
    const attribute = [
      { name: 'blob', type: 3 as const, s },
      { name: 'blobs', type: 8 as const, strings: [s, new TextEncoder().encode('text')] },
    ];
    const bytes = modelBytes({
      input: [x],
      node: [node('Custom', ['x'], ['y'], { domain: 'mine', attribute })],
      output: [y],
    });
    const again = decodeModel(writeOnnx(readOnnx(bytes)).bytes, defaultReadLimits).graph?.node[0];
    expect(
      again?.attribute.map(({ name, s: blob, strings }) => ({
        name,
        blob: [...blob],
        strings: strings.map((item) => [...item]),
      })),
    ).toEqual([
      { name: 'blob', blob: [255, 0, 254], strings: [] },
      { name: 'blobs', blob: [], strings: [[255, 0, 254], [...new TextEncoder().encode('text')]] },
    ]);
  });
});

describe('symbolic shapes', () => {
  it('are named after the input where the file leaves them open', () => {
    const graph = readOnnx(modelBytes({ input: [info('image', ['', 3, -1, 'width'])] })).graph;
    expect(graph.inputs[0]?.shape).toEqual(['image.0', 3, 'image.2', 'width']);
  });

  it('may not grow without bound', () => {
    const open = info('x', ['n']);
    const doubling = Array.from({ length: 60 }, (_, level) =>
      node('Concat', [level === 0 ? 'x' : `v${level - 1}`, level === 0 ? 'x' : `v${level - 1}`], [`v${level}`], {
        attribute: [{ name: 'axis', type: 2 }],
      }),
    );
    const bytes = modelBytes({ input: [open], node: doubling });
    const started = performance.now();
    try {
      readOnnx(bytes);
    } catch (error) {
      expect(isModelwrightError(error, 'limit-exceeded')).toBe(true);
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('metadata', () => {
  it('that claim to come from Modelwright are not trusted', () => {
    for (const text of [
      '',
      '[]',
      '{}',
      '{"version":1}',
      '{"version":1,"name":"m","layers":[],"parameters":[{"name":"w"}]}',
    ]) {
      expect(refusal(modelBytes({ input: [x] }, { metadata: { 'modelwright.model': text } })).code).toMatch(
        /invalid-model|unsupported-version/,
      );
    }
    const parameters = [{ name: 'w', initializer: 'ghost', trainable: true, role: 'weight' }];
    const text = JSON.stringify({ version: 1, name: 'm', layers: [], parameters });
    expect(refusal(modelBytes({ input: [x] }, { metadata: { 'modelwright.model': text } })).message).toMatch(/'ghost'/);
  });

  it('of any name are kept', () => {
    const bytes = modelBytes({ input: [x] }, { metadata: { author: 'me', __proto__2: 'x' } });
    expect(readOnnx(bytes).metadata).toEqual({ author: 'me', __proto__2: 'x' });
  });
});

describe("faults that are not the file's", () => {
  it('stay what they are', () => {
    const fault = new TypeError('a bug');
    const bytes = modelBytes({ input: [x], node: [node('Relu', ['x'], ['y'])], output: [info('y', [2])] });
    expect(readOnnx(bytes).graph.nodes).toHaveLength(1);
    expect(() => readOnnx(bytes, { inputShapes: new Proxy({}, { get: () => raise(fault) }) })).toThrow(fault);
  });
});

function raise(error: Error): never {
  throw error;
}
