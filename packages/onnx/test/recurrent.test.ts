import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { evaluateGraph, type Model } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { ModelProtoSchema } from '../src/generated/onnx.generated.js';
import { readOnnx, readTensor, writeOnnx } from '../src/index.js';
import { expectTensorsClose } from './fixtures.js';
import { type NodeTest, nodeTests } from './node-tests.js';

// The recurrent ops have meant the same since opset 7; the attribute `layout` came with 14.

const recurrent = nodeTests.filter(({ name }) => /^test_(simple_rnn|rnn|gru|lstm)/.test(name));

/** The same file under the version of another opset. */
function inOpset({ model }: NodeTest, opset: number): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, model);
  for (const each of proto.opsetImport) each.version = BigInt(opset);
  return toBinary(ModelProtoSchema, proto);
}

function expectOutputs(test: NodeTest, model: Model): void {
  const named = (list: readonly Uint8Array[]) =>
    Object.fromEntries(list.map(readTensor).map(({ name, tensor }) => [name, tensor]));
  expectTensorsClose(evaluateGraph(model.graph, named(test.inputs)), named(test.outputs));
}

it.each(recurrent.filter(({ name }) => !name.includes('batchwise')))('$name means the same in opset 7', (test) => {
  expectOutputs(test, readOnnx(inOpset(test, 7)));
});

describe.each(recurrent)('$name', (test) => {
  it.each([17, 21, 22])('is written in opset %i as one node', (opset) => {
    const again = readOnnx(writeOnnx(readOnnx(test.model), { opset }).bytes);
    expect(again.graph.nodes.filter(({ op }) => /^(RNN|GRU|LSTM)$/.test(op))).toHaveLength(1);
    expectOutputs(test, again);
  });
});
