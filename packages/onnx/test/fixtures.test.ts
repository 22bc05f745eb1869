import { evaluateGraph, isForeign, type Model, print, verify } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { foreignNodesOf, readOnnx, writeOnnx } from '../src/index.js';
import { allNodes } from '../src/read/foreign-nodes.js';
import { expectTensorsClose, externalDataOf, fixtureNames, loadFixture } from './fixtures.js';

const read = (name: string): Model =>
  readOnnx(loadFixture(name).bytes, { file: `${name}.onnx`, externalData: externalDataOf(name) });
const hasForeignNodes = (name: string): boolean => name.startsWith('foreign');

describe.each(fixtureNames)('%s', (name) => {
  it('is read to the canonical form', () => {
    const { graph } = read(name);
    verify(graph);
    expect([...allNodes(graph)].some(isForeign)).toBe(hasForeignNodes(name));
  });

  it('is the same model after writing and reading', () => {
    const model = read(name);
    const again = readOnnx(writeOnnx(model).bytes);
    expect(print(again.graph)).toBe(print(model.graph));
    expect(again.metadata).toEqual(model.metadata);
    expect(again.parameters).toEqual(model.parameters);
  });
});

describe.each(fixtureNames.filter((name) => !hasForeignNodes(name)))('%s', (name) => {
  const { inputs, outputs } = loadFixture(name);

  it('gives what ONNX Runtime gives', () => {
    expectTensorsClose(evaluateGraph(read(name).graph, inputs), outputs);
  });

  it('gives the same in opset 17', () => {
    const lowered = readOnnx(writeOnnx(read(name), { opset: 17 }).bytes);
    expectTensorsClose(evaluateGraph(lowered.graph, inputs), outputs);
  });
});

it('reports unknown ops by name and node', () => {
  expect(foreignNodesOf(readOnnx(loadFixture('foreign-declared').bytes).graph)).toEqual([
    { op: 'com.microsoft:FastGelu', nodes: ['fast'] },
  ]);
});

it('brings unknown ops of ONNX to their newest known form too', () => {
  const [node] = readOnnx(loadFixture('foreign-gridsample-16').bytes).graph.nodes;
  expect(node).toMatchObject({ op: 'GridSample', attributes: { mode: 'linear' } });
});
