import type { AttributeKind, AttributeValue, OpDefinition } from '@modelwright/core';
import { ModelwrightError } from '@modelwright/core';
import type { SourceNode } from './source-node.js';

type CoreAttributes = { readonly [name: string]: AttributeValue };

/**
 * Attributes that newer opsets added for element types Modelwright does not have, and hints without effect: dropped
 * whatever they say.
 */
const withoutEffect: ReadonlySet<string> = new Set(['saturate', 'round_mode', 'consumed_inputs', 'stash_type']);

/** Values that mean the same as leaving the attribute out, for attributes the op's definition does not list. */
const neutral: ReadonlySet<unknown> = new Set([0, '', 'NOTSET', 'DCR', 'stretch']);

/**
 * The attributes of a node as core's definition of its op takes them.
 *
 * @throws {@link ModelwrightError} `invalid-model` for an attribute of the wrong kind, `unsupported-op` for one that the
 * definition does not know and that is not without effect.
 */
export function coreAttributes(node: SourceNode, attributes: CoreAttributes, definition: OpDefinition): CoreAttributes {
  const specifications = definition.attributes as { readonly [name: string]: { readonly kind: AttributeKind } };
  const known: { [name: string]: AttributeValue } = {};
  for (const [name, value] of Object.entries(attributes)) {
    const specification = Object.hasOwn(specifications, name) ? specifications[name] : undefined;
    if (specification !== undefined) known[name] = ofKind(node, name, value, specification.kind);
    else if (!withoutEffect.has(name) && !neutral.has(value)) throw unknownAttribute(node, name, value);
  }
  return known;
}

function ofKind(node: SourceNode, name: string, value: AttributeValue, kind: AttributeKind): AttributeValue {
  const given = kind === 'string' && typeof value !== 'string' ? 'no text' : node.attributeKinds[name];
  if (given === kind || (kind === 'float' && given === 'int')) return value;
  // An empty list has no kind where the file does not say one.
  if (Array.isArray(value) && value.length === 0 && kind.endsWith('s')) return value;
  throw new ModelwrightError(
    'invalid-model',
    `${node.op} '${node.name}': attribute '${name}' is ${given}; it should be ${kind}`,
    { layer: node.name, op: node.op, given, allowed: kind },
  );
}

function unknownAttribute(node: SourceNode, name: string, value: AttributeValue): ModelwrightError {
  const shown = typeof value === 'object' ? '' : ` = ${value}`;
  return new ModelwrightError(
    'unsupported-op',
    `${node.op} '${node.name}': Modelwright does not have the attribute '${name}'${shown}`,
    { layer: node.name, op: node.op, given: name },
  );
}
