import { create } from '@bufbuild/protobuf';
import {
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  AttributeProto_AttributeType as Type,
} from '../generated/onnx.generated.js';
import type { NameScope } from '../read/name-scope.js';
import { isSourceGraph, type SourceGraph, type SourceNode } from '../read/source-node.js';
import { type Conversion, numberAttribute, numbersAttribute } from './rule.js';

/**
 * `Scan` of opset 8, whose inputs and outputs all have the batch as their first axis while its body knows of none: a scan along the
 * batch, without states, of the scan along the sequence.
 */
export const batchedScan: Conversion = (node, context) => {
  const [lengths = '', ...inputs] = node.inputs;
  if (lengths !== '') context.fail('the lengths of the batched Scan of opset 8 are not supported');
  const { body } = node.attributes;
  if (!isSourceGraph(body)) return context.fail("attribute 'body' is required");
  const count = numberAttribute(node, 'num_scan_inputs', context) ?? context.fail("'num_scan_inputs' is required");
  const directions = numbersAttribute(node, 'directions', context);
  const inner = create(NodeProtoSchema, {
    opType: 'Scan',
    name: context.fresh('sequence'),
    input: inputs.map(() => context.fresh('item')),
    output: node.outputs.map(() => context.fresh('result')),
    attribute: [
      { name: 'body', type: Type.GRAPH, g: body.proto },
      { name: 'num_scan_inputs', type: Type.INT, i: BigInt(count) },
      ...(directions === undefined
        ? []
        : [{ name: 'scan_input_directions', type: Type.INTS, ints: directions.map(BigInt) }]),
    ],
  });
  return [alongBatch(node, inputs, { proto: oneNode(inner), names: inOpset9(body.names) })];
};

function alongBatch(node: SourceNode, inputs: readonly string[], body: SourceGraph): SourceNode {
  return {
    ...node,
    inputs,
    attributes: { body, num_scan_inputs: inputs.length },
    attributeKinds: { body: 'graph', num_scan_inputs: 'int' },
  };
}

function oneNode(node: NodeProto): SourceGraph['proto'] {
  return create(GraphProtoSchema, {
    name: 'batch_item',
    node: [node],
    input: node.input.map((name) => ({ name })),
    output: node.output.map((name) => ({ name })),
  });
}

/** The inner scan has the form of opset 9. What changed between the two concerns types, but for `Upsample`. */
function inOpset9(names: NameScope): NameScope {
  return { ...names, opsets: new Map([...names.opsets, ['', 9]]) };
}
