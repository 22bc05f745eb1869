import { ModelwrightError, type Node } from '@modelwright/core';
import { opVersions } from '../generated/op-versions.generated.js';

/** Ops whose canonical meaning is younger than their name. */
const canonicalSince: { readonly [op: string]: number | undefined } = { GroupNormalization: 21 };

/** The first opset in which an op of ONNX's own domain means what it does in a graph; undefined if there is none. */
export function introducedIn(op: string): number | undefined {
  return canonicalSince[op] ?? opVersions[op]?.[0];
}

/** Whether a node can stand in a file of this opset, given the down-conversion of its attributes. */
export function isWritable(node: Node, opset: number): boolean {
  if (node.domain !== '') return true;
  const since = introducedIn(node.op);
  return since === undefined || since <= opset;
}

/** @throws {@link ModelwrightError} `unsupported-version` naming the node. */
export function refuseNode(node: Node, opset: number): never {
  throw new ModelwrightError(
    'unsupported-version',
    `${node.op} '${node.name}' came with opset ${introducedIn(node.op)} and has no simpler form for opset ${opset}`,
    { op: node.op, layer: node.name, given: opset, hint: `write with opset: ${introducedIn(node.op)} or newer` },
  );
}
