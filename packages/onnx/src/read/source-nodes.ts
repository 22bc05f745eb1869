import type { NodeProto } from '../generated/onnx.generated.js';
import { opOfFunction } from '../own-names.js';
import { type FileContext, invalidModel } from './file-context.js';
import { functionKey, functionScope } from './inline-function.js';
import type { NameScope } from './name-scope.js';
import { sortNodes } from './sort-nodes.js';
import { sourceAttributes } from './source-attributes.js';
import type { SourceNode } from './source-node.js';

/** A node and the version of its operator set. */
export interface VersionedNode {
  readonly node: SourceNode;
  readonly opset: number;
}

/** ONNX's own domain has two spellings. */
export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/**
 * Reads one node as it stands in `names`; a call of a model-local function gives the nodes of its body, calls within it
 * replaced in turn.
 *
 * @throws {@link ModelwrightError} `invalid-model` for a recursive function, `limit-exceeded` when the bodies add up to too many nodes.
 */
export function* sourceNodes(proto: NodeProto, names: NameScope, file: FileContext): Generator<VersionedNode> {
  file.budget.addNode();
  const domain = canonicalDomain(proto.domain);
  const node: SourceNode = {
    op: proto.opType,
    domain,
    name: names.nodeName(proto.name === '' ? (proto.output.find((name) => name !== '') ?? proto.opType) : proto.name),
    inputs: proto.input.map((name) => names.valueName(name)),
    outputs: proto.output.map((name) => names.valueName(name)),
    ...sourceAttributes(proto.attribute, names, file),
  };
  const own = opOfFunction(domain, proto.opType);
  if (own !== undefined) {
    // The op is known, with attributes of its newest form; the function's body is for those who do not know it.
    yield { node: { ...node, ...own }, opset: Number.POSITIVE_INFINITY };
    return;
  }
  const key = functionKey(domain, proto.opType, proto.overload);
  const definition = file.functions.get(key);
  if (definition === undefined) {
    yield { node, opset: opsetOf(domain, names) };
    return;
  }
  const scope = functionScope(definition, key, node, names, file);
  for (const inner of sortNodes(definition.node, new Set(definition.input))) yield* sourceNodes(inner, scope, file);
}

function opsetOf(domain: string, names: NameScope): number {
  const version = names.opsets.get(domain);
  if (version !== undefined) return version;
  if (domain === '')
    throw invalidModel("the model does not say which version of ONNX's operators it uses (opset_import)");
  return 1;
}
