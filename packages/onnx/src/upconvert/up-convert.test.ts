import { describe, expect, it } from 'vitest';
import { fixtureNames, loadFixture } from '../../test/fixtures.js';
import { info, modelBytes, type NodeInit, node } from '../../test/protos.js';
import { readOnnx } from '../read/read-onnx.js';
import { upConversions } from './up-convert.js';

const statistics = ['scale', 'bias', 'mean', 'variance'].map((name) => info(name, [3]));
const read = (opset: number, ...nodes: NodeInit[]) =>
  readOnnx(
    modelBytes({ input: [info('x', [2, 3]), ...statistics], node: nodes, output: [info('y', [2, 3])] }, { opset }),
  ).graph;

describe('BatchNormalization of older opsets', () => {
  const inputs = ['x', 'scale', 'bias', 'mean', 'variance'];

  it('is for inference when nobody reads its further outputs', () => {
    const graph = read(9, node('BatchNormalization', inputs, ['y', 'a', 'b', 'c', 'd']));
    expect(graph.nodes[0]).toMatchObject({ outputs: [{ name: 'y' }], attributes: { training_mode: 0 } });
  });

  it('trains when its statistics are read', () => {
    const graph = read(9, node('BatchNormalization', inputs, ['y', 'a', 'b', 'c', 'd']), node('Neg', ['a'], ['z']));
    expect(graph.nodes[0]).toMatchObject({ attributes: { training_mode: 1 } });
    expect(graph.nodes[0]?.outputs.map(({ name }) => name)).toEqual(['y', 'a', 'b']);
  });

  it('cannot keep statistics for each activation', () => {
    const attribute = [{ name: 'spatial', type: 2 as const, i: 0n }];
    expect(() => read(8, node('BatchNormalization', inputs, ['y'], { name: 'bn', attribute }))).toThrow(
      /'bn'.*opset 9/,
    );
  });
});

it('says which attribute a converted node lacks, naming the node', () => {
  for (const [op, attribute] of [
    ['Pad', 'pads'],
    ['Slice', 'starts'],
    ['TopK', 'k'],
    ['Upsample', 'scales'],
  ] as const) {
    const build = () => read(7, node(op, ['x'], ['y'], { name: 'the node' }));
    expect(build).toThrow(
      expect.objectContaining({ code: 'invalid-model', message: expect.stringContaining(attribute) }),
    );
    expect(build).toThrow(/'the node'/);
  }
});

it('has a file of an older opset for every rule that a kept op needs', () => {
  const withoutFile = new Set(['DFT', 'RoiAlign', 'Scan']);
  const used = new Set(
    fixtureNames.map((name) =>
      name
        .replace(/^foreign-/, '')
        .split('-')[0]
        ?.replace('batchnorm', 'batchnormalization')
        .replace('groupnorm', 'groupnormalization'),
    ),
  );
  for (const { op } of upConversions) if (!withoutFile.has(op)) expect(used, op).toContain(op.toLowerCase());
});

it('reads the mode of an old GridSample', () => {
  const [sample] = readOnnx(loadFixture('foreign-gridsample-16').bytes).graph.nodes;
  expect(sample?.attributes['mode']).toBe('linear');
});
