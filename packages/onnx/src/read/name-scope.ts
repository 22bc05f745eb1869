import type { AttributeKind } from '@modelwright/core';
import type { SourceAttribute } from './source-node.js';

/** How names and attribute references are to be read: as they stand, or as the inlined body of a function. */
export interface NameScope {
  /** Versions of the operator sets, by domain (`''` for ONNX). */
  readonly opsets: ReadonlyMap<string, number>;
  /** Functions being inlined, outermost first. */
  readonly callStack: readonly string[];
  /** The name a value has in the importing graph; `''` stays. */
  valueName(name: string): string;
  nodeName(name: string): string;
  /** What the caller gave for an attribute of the function. */
  attribute(name: string): { readonly value: SourceAttribute; readonly kind: AttributeKind } | undefined;
}

/** The scope of a graph that is not the body of a function. */
export function rootScope(opsets: ReadonlyMap<string, number>): NameScope {
  return {
    opsets,
    callStack: [],
    valueName: (name) => name,
    nodeName: (name) => name,
    attribute: () => undefined,
  };
}
