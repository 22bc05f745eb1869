import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';

/** One activation of a recurrent op with its parameters. */
export interface RecurrentActivation {
  readonly name: string;
  readonly alpha: number;
  readonly beta: number;
}

/** What is known about an activation that ONNX allows in recurrent ops. */
interface Definition {
  /** Defaults of `alpha` and `beta`; as many as the function reads. */
  readonly parameters: readonly number[];
  readonly evaluate: (x: number, alpha: number, beta: number) => number;
  readonly build: (builder: GraphBuilder, x: Value, parameters: RecurrentActivation) => Value;
}

const scaled = (builder: GraphBuilder, x: Value, factor: number): Value =>
  factor === 1 ? x : builder.op('Mul', [x, builder.scalar(factor, x.dtype)]);

/** Activations by name in lower case, as runtimes compare them. */
const definitions: { readonly [name: string]: Definition | undefined } = {
  relu: {
    parameters: [],
    evaluate: (x) => Math.max(0, x),
    build: (builder, x) => builder.op('Relu', [x]),
  },
  tanh: {
    parameters: [],
    evaluate: Math.tanh,
    build: (builder, x) => builder.op('Tanh', [x]),
  },
  sigmoid: {
    parameters: [],
    evaluate: (x) => 1 / (1 + Math.exp(-x)),
    build: (builder, x) => builder.op('Sigmoid', [x]),
  },
  affine: {
    parameters: [1, 0],
    evaluate: (x, alpha, beta) => alpha * x + beta,
    build: (builder, x, { alpha, beta }) =>
      builder.op('Add', [scaled(builder, x, alpha), builder.scalar(beta, x.dtype)]),
  },
  leakyrelu: {
    parameters: [0.01],
    evaluate: (x, alpha) => (x < 0 ? alpha * x : x),
    build: (builder, x, { alpha }) => builder.op('LeakyRelu', [x], { alpha }),
  },
  thresholdedrelu: {
    parameters: [1],
    evaluate: (x, alpha) => (x > alpha ? x : 0),
    build: (builder, x, { alpha }) => builder.op('ThresholdedRelu', [x], { alpha }),
  },
  scaledtanh: {
    parameters: [1, 1],
    evaluate: (x, alpha, beta) => alpha * Math.tanh(beta * x),
    build: (builder, x, { alpha, beta }) => scaled(builder, builder.op('Tanh', [scaled(builder, x, beta)]), alpha),
  },
  hardsigmoid: {
    parameters: [0.2, 0.5],
    evaluate: (x, alpha, beta) => Math.min(1, Math.max(0, alpha * x + beta)),
    build: (builder, x, { alpha, beta }) => builder.op('HardSigmoid', [x], { alpha, beta }),
  },
  elu: {
    parameters: [1],
    evaluate: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
    build: (builder, x, { alpha }) => builder.op('Elu', [x], { alpha }),
  },
  softsign: {
    parameters: [],
    evaluate: (x) => x / (1 + Math.abs(x)),
    build: (builder, x) => builder.op('Softsign', [x]),
  },
  softplus: {
    parameters: [],
    evaluate: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    build: (builder, x) => builder.op('Softplus', [x]),
  },
};

/** Names of the activations that recurrent ops take. */
export const recurrentActivationNames: readonly string[] = [
  'Relu',
  'Tanh',
  'Sigmoid',
  'Affine',
  'LeakyRelu',
  'ThresholdedRelu',
  'ScaledTanh',
  'HardSigmoid',
  'Elu',
  'Softsign',
  'Softplus',
];

/** Whether recurrent ops take an activation of this name. */
export function isRecurrentActivation(name: string): boolean {
  return Object.hasOwn(definitions, name.toLowerCase());
}

/** The lists as the attributes of a node have them. */
export interface ActivationLists {
  readonly activations?: readonly string[];
  readonly activation_alpha?: readonly number[];
  readonly activation_beta?: readonly number[];
}

/**
 * The activations of a node with their parameters. Functions that read `alpha` or `beta` take the next number of its list, in
 * order; when the list is at its end, the function's default.
 *
 * @param names - what stands in place of a list that is left out.
 */
export function resolveActivations(lists: ActivationLists, names: readonly string[]): readonly RecurrentActivation[] {
  const alphas = [...(lists.activation_alpha ?? [])];
  const betas = [...(lists.activation_beta ?? [])];
  return (lists.activations ?? names).map((name) => {
    const [alpha, beta] = definitionOf(name).parameters;
    return {
      name,
      alpha: alpha === undefined ? 0 : (alphas.shift() ?? alpha),
      beta: beta === undefined ? 0 : (betas.shift() ?? beta),
    };
  });
}

/** `f(x)` of one number. */
export function evaluateActivation({ name, alpha, beta }: RecurrentActivation): (x: number) => number {
  const { evaluate } = definitionOf(name);
  return (x) => evaluate(x, alpha, beta);
}

/** `f(x)` in a graph. */
export function buildActivation(builder: GraphBuilder, activation: RecurrentActivation, x: Value): Value {
  return definitionOf(activation.name).build(builder, x, activation);
}

function definitionOf(name: string): Definition {
  return definitions[name.toLowerCase()] as Definition;
}
