import { evaluateGraph, isForeign, print, verify } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { foreignNodesOf, readOnnx, writeOnnx } from '../src/index.js';
import { allNodes } from '../src/read/foreign-nodes.js';
import { expectTensorsClose, externalDataOf, fixtureNames, loadFixture } from './fixtures.js';

describe.each(fixtureNames)('%s', (name) => {
  const fixture = loadFixture(name);
  const read = () => readOnnx(fixture.bytes, { file: `${name}.onnx`, externalData: externalDataOf(name) });
  const isForeignFixture = name.startsWith('foreign');

  it('is read to the canonical form', () => {
    const { graph } = read();
    verify(graph);
    expect([...allNodes(graph)].some(isForeign)).toBe(isForeignFixture);
  });

  it.runIf(!isForeignFixture)('gives what ONNX Runtime gives', () => {
    expectTensorsClose(evaluateGraph(read().graph, fixture.inputs), fixture.outputs);
  });

  it('is the same model after writing and reading', () => {
    const model = read();
    const again = readOnnx(writeOnnx(model).bytes);
    expect(print(again.graph)).toBe(print(model.graph));
    expect(again.metadata).toEqual(model.metadata);
    expect(again.parameters).toEqual(model.parameters);
  });

  it.runIf(!isForeignFixture)('gives the same in opset 17', () => {
    const lowered = readOnnx(writeOnnx(read(), { opset: 17 }).bytes);
    expectTensorsClose(evaluateGraph(lowered.graph, fixture.inputs), fixture.outputs);
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
