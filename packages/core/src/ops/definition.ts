import type { ErrorCode, ErrorDetails } from '../errors.js';
import type { AttributeKind, AttributeValue, Graph, Value, ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import type { Dimension } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** How an attribute is stored in ONNX, and its value when the user leaves it out. */
export interface AttributeSpecification {
  readonly kind: AttributeKind;
  /** Filled in when the node is built. */
  readonly default?: AttributeValue;
  /** Building without it throws `invalid-attribute`. */
  readonly required?: true;
}

export interface Arity {
  readonly min: number;
  readonly max: number;
}

/** What `infer` sees. Inputs that are left out are undefined. */
export interface InferContext<A> {
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: A;
  /** How many outputs the caller asks for. */
  readonly outputCount: number;
  /** The required input at `index`; its absence throws `invalid-graph`. */
  input(index: number): Value;
  /** The constant behind the input, if it is one. */
  constant(index: number): Tensor | undefined;
  /** The input's elements as extents (an int64 vector or scalar computed from shapes), as far as they are known. */
  dimensions(index: number): readonly Dimension[] | undefined;
  /** A fresh symbol for an extent that only the run can tell. */
  unknownDimension(hint: string): Dimension;
  /** Throws with the user's layer path in front of the message. */
  fail(message: string, details?: ErrorDetails, code?: ErrorCode): never;
}

/** What a gradient rule sees. All shapes are concrete. */
export interface GradientContext<A> {
  /** Adds nodes to the graph that is being differentiated. */
  readonly builder: GraphBuilder;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: A;
  /** Cotangent of each output; undefined where it is zero. At least one is defined. */
  readonly outputGradients: readonly (Value | undefined)[];
  /** Cotangent of output 0, as zeros if it has none. */
  readonly outputGradient: Value;
  input(index: number): Value;
  /**
   * Whether anyone needs the gradient of this input; a rule may skip work when not. Values that subgraphs capture follow the
   * inputs, in the order of `valuesReadBy`.
   */
  needs(index: number): boolean;
}

/**
 * Cotangents of the inputs, in order; undefined where there is none. A gradient whose shape is broader than its input
 * (the input was broadcast) is summed to the input's shape by the caller, so rules need not.
 */
export type GradientRule<A> = (context: GradientContext<A>) => readonly (Value | undefined)[];

/** What `evaluate` sees: every floating tensor is float64, whatever the graph declares. */
export interface EvaluateContext<A> {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: A;
  readonly outputCount: number;
  /** Declared types of the outputs (their shapes may be symbolic). */
  readonly outputTypes: readonly ValueType[];
  input(index: number): Tensor;
  /** Evaluates a subgraph attribute on inputs; captured values are found by themselves. */
  evaluateGraph(graph: Graph, inputs: readonly Tensor[]): readonly Tensor[];
  fail(message: string, details?: ErrorDetails, code?: ErrorCode): never;
}

/** What `decompose` sees: builds the same outputs from simpler ops. */
export interface DecomposeContext<A> {
  readonly builder: GraphBuilder;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: A;
  readonly outputCount: number;
  input(index: number): Value;
}

/**
 * All that Modelwright knows about one operator, in one place.
 *
 * @typeParam A - Attributes as rules see them: optional fields are those without a static default.
 */
export interface OpDefinition<A = object> {
  /** Default `''`, ONNX's own domain. */
  readonly domain?: string;
  readonly inputs: Arity;
  readonly outputs: Arity;
  readonly attributes: { readonly [K in keyof A]-?: AttributeSpecification };
  /** Dtype and shape rule; throws through `context.fail`. Returns one type an output (at least `outputCount`). */
  infer(context: InferContext<A>): readonly ValueType[];
  readonly gradient: GradientRule<A> | 'not-differentiable';
  /** The plain float64 reference. */
  evaluate(context: EvaluateContext<A>): readonly Tensor[];
  /** For composites: the same values from simpler ops; undefined when these attributes have no such form. */
  decompose?(context: DecomposeContext<A>): readonly Value[] | undefined;
  /** Two runs differ: never folded nor merged. */
  readonly random?: true;
  /** Output elements depend only on the input elements at the same (broadcast) place. */
  readonly elementwise?: true;
}

/** A family of ops, typed by its attributes interface. */
export type OpFamily<Family> = { readonly [N in keyof Family]: OpDefinition<Family[N]> };

/** Attributes of an op that has none. */
export type NoAttributes = Record<never, never>;
