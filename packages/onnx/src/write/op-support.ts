import { ModelwrightError, modelwrightDomain, type Node } from '@modelwright/core';
import { opVersions } from '../generated/op-versions.generated.js';
import { keptOps } from '../own-names.js';

/** Ops whose canonical meaning is younger than their name. */
const canonicalSince: { readonly [op: string]: number | undefined } = { GroupNormalization: 21 };

/** The first opset in which an op of ONNX's own domain means what it does in a graph; undefined if there is none. */
export function introducedIn(op: string): number | undefined {
  return canonicalSince[op] ?? opVersions[op]?.[0];
}

/** Attributes that came after their op, with what leaving them out means. */
const laterAttributes: { readonly [op: string]: { readonly [attribute: string]: LaterAttribute } | undefined } = {
  Attention: { left_window_size: { since: 25, neutral: -1 }, right_window_size: { since: 25, neutral: -1 } },
};

interface LaterAttribute {
  readonly since: number;
  readonly neutral: number;
}

/** Inputs that came after their op: how many it began with. */
const laterInputs: { readonly [op: string]: { readonly first: number; readonly since: number } | undefined } = {
  Attention: { first: 6, since: 24 },
};

/** Whether a node can stand in a file of this opset, given the down-conversion of its attributes. */
export function isWritable(node: Node, opset: number): boolean {
  if (node.domain !== '') return true;
  const since = introducedIn(node.op);
  if (since !== undefined && since > opset) return false;
  const later = laterInputs[node.op];
  if (later !== undefined && node.inputs.length > later.first && later.since > opset) return false;
  return Object.entries(laterAttributes[node.op] ?? {}).every(([name, { since, neutral }]) => {
    const value = node.attributes[name];
    return since <= opset || value === undefined || value === neutral;
  });
}

/** Whether a node is kept as a call of a function: the opset lacks its op, but the op must not be lost. */
export function isKept(node: Node, opset: number): boolean {
  return keptOps.has(node.op) && (node.domain === modelwrightDomain || !isWritable(node, opset));
}

/** @throws {@link ModelwrightError} `unsupported-version` naming the node. */
export function refuseNode(node: Node, opset: number): never {
  throw new ModelwrightError(
    'unsupported-version',
    `${node.op} '${node.name}' came with opset ${introducedIn(node.op)} and has no simpler form for opset ${opset}`,
    { op: node.op, layer: node.name, given: opset, hint: `write with opset: ${introducedIn(node.op)} or newer` },
  );
}
