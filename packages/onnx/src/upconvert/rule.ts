import type { AttributeKind, DType, Shape, Tensor } from '@modelwright/core';
import type { SourceAttribute, SourceNode } from '../read/source-node.js';

/** What a rule may ask about the values a node reads, and the values it may add. */
export interface UpConversionContext {
  /** Type of a value, by the name the node uses. */
  typeOf(name: string): { readonly dtype: DType; readonly shape: Shape };
  /** The tensor behind a name, if it is constant. */
  constantOf(name: string): Tensor | undefined;
  /** Whether any node or graph output reads the value. */
  isUsed(name: string): boolean;
  /** Adds a constant; returns its name. */
  constant(value: Tensor): string;
  /** Adds a constant int64 vector; returns its name. */
  integers(values: readonly number[]): string;
  /** A name nobody uses. */
  fresh(hint: string): string;
  /** Refuses the node. */
  fail(message: string): never;
}

/** Rewrites one node of an older opset. */
export type Conversion = (node: SourceNode, context: UpConversionContext) => readonly SourceNode[];

/** A form of an op that ended with an opset. */
export interface UpConversion {
  readonly op: string;
  /** The first opset in which the form is no longer valid: nodes of older models are converted. */
  readonly before: number;
  readonly convert: Conversion;
}

/** The same rule for several ops. */
export function forOps(ops: readonly string[], before: number, convert: Conversion): readonly UpConversion[] {
  return ops.map((op) => ({ op, before, convert }));
}

/** The node without some attributes. */
export function withoutAttributes(node: SourceNode, ...names: readonly string[]): SourceNode {
  const keep = <T>(record: { readonly [name: string]: T }): { readonly [name: string]: T } =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
  return { ...node, attributes: keep(node.attributes), attributeKinds: keep(node.attributeKinds) };
}

/** The node with one attribute set. */
export function withAttribute(node: SourceNode, name: string, kind: AttributeKind, value: SourceAttribute): SourceNode {
  return {
    ...node,
    attributes: { ...node.attributes, [name]: value },
    attributeKinds: { ...node.attributeKinds, [name]: kind },
  };
}

/** A new node that computes `output`. */
export function sourceNode(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: { readonly [name: string]: number | readonly number[] } = {},
): SourceNode {
  const kinds = Object.entries(attributes).map(([name, value]) => [name, typeof value === 'number' ? 'int' : 'ints']);
  return {
    op,
    domain: '',
    name: output,
    inputs,
    outputs: [output],
    attributes,
    attributeKinds: Object.fromEntries(kinds),
  };
}

/** An attribute that is a number; undefined if absent. */
export function numberAttribute(node: SourceNode, name: string, context: UpConversionContext): number | undefined {
  const value = node.attributes[name];
  if (value === undefined || typeof value === 'number') return value;
  return context.fail(`attribute '${name}' is no number`);
}

/** An attribute that is a list of numbers; undefined if absent. */
export function numbersAttribute(
  node: SourceNode,
  name: string,
  context: UpConversionContext,
): readonly number[] | undefined {
  const value = node.attributes[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'number')) return value;
  return context.fail(`attribute '${name}' is no list of numbers`);
}

/** The first `count` inputs, the missing ones as left out. */
export function firstInputs(node: SourceNode, count: number): string[] {
  return Array.from({ length: count }, (_, index) => node.inputs[index] ?? '');
}
