import { type AttributeKind, type AttributeValue, isGraph } from '@modelwright/core';
import type { GraphProto } from '../generated/onnx.generated.js';
import type { NameScope } from './name-scope.js';

/** A subgraph as it stands in the file, with the scope its names are to be read in. */
export interface SourceGraph {
  readonly proto: GraphProto;
  readonly names: NameScope;
}

/** An attribute's value before its subgraphs are read. */
export type SourceAttribute = AttributeValue | SourceGraph | readonly SourceGraph[];

/** A node of the file, its names resolved, before it is checked against an op's definition. */
export interface SourceNode {
  readonly op: string;
  /** `''` for ONNX. */
  readonly domain: string;
  readonly name: string;
  /** `''` stands for an optional input that is left out; so for outputs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: { readonly [name: string]: SourceAttribute };
  readonly attributeKinds: { readonly [name: string]: AttributeKind };
}

/** Tells a subgraph of the file from other values of attributes. */
export function isSourceGraph(value: unknown): value is SourceGraph {
  return typeof value === 'object' && value !== null && 'proto' in value && !isGraph(value);
}
