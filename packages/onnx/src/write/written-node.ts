import type { AttributeKind, AttributeValue, Node, Value } from '@modelwright/core';
import { definitionOf } from '@modelwright/core';

/** A node in the form that goes into the file. */
export interface WrittenNode {
  readonly op: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  /** Those that equal the op's default are left out. */
  readonly attributes: { readonly [name: string]: WrittenAttribute };
}

export interface WrittenAttribute {
  readonly kind: AttributeKind;
  readonly value: AttributeValue;
}

/** The node as it stands, without attributes that only say the default. */
export function writtenNode(node: Node): WrittenNode {
  const { op, domain, name, inputs, outputs } = node;
  const specifications = definitionOf(node)?.attributes as
    | { readonly [name: string]: { readonly kind: AttributeKind; readonly default?: AttributeValue } | undefined }
    | undefined;
  const attributes: { [name: string]: WrittenAttribute } = {};
  for (const [attribute, value] of Object.entries(node.attributes)) {
    if (value === undefined) continue;
    const specification = specifications?.[attribute];
    if (specification?.default !== undefined && sameValue(value, specification.default)) continue;
    attributes[attribute] = {
      kind: specification?.kind ?? node.attributeKinds?.[attribute] ?? guessKind(value),
      value,
    };
  }
  return { op, domain, name, inputs, outputs, attributes };
}

function sameValue(a: AttributeValue, b: AttributeValue): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b);
  return a.length === b.length && a.every((item, index) => Object.is(item, b[index]));
}

function guessKind(value: AttributeValue): AttributeKind {
  const one = (item: unknown): 'int' | 'float' | 'string' | 'tensor' | 'graph' => {
    if (typeof item === 'number') return Number.isInteger(item) ? 'int' : 'float';
    if (typeof item === 'string') return 'string';
    return typeof item === 'object' && item !== null && 'nodes' in item ? 'graph' : 'tensor';
  };
  if (!Array.isArray(value)) return one(value);
  const kinds = value.map(one);
  if (kinds.every((kind) => kind === 'int')) return 'ints';
  return kinds.includes('float') ? 'floats' : `${kinds[0] as 'string'}s`;
}
