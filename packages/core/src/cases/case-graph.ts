import { backpropagate } from '../gradient/backpropagate.js';
import type { Graph, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { type OpName, ops } from '../ops/registry.js';
import { type DType, isFloat } from '../tensor/dtype.js';
import { concreteShape, type Shape } from '../tensor/shape.js';
import type { Tensor, TensorMap } from '../tensor/tensor.js';
import type { CaseOf, OpCase } from './case.js';
import { caseTensor } from './case-data.js';

/** A graph and what to feed it. */
export interface CaseGraph {
  readonly graph: Graph;
  readonly inputs: TensorMap;
}

export interface CaseGraphOptions {
  /** Stands in for every floating dtype of the case; float64 for gradient checks. */
  readonly floatDType?: DType;
  /** Gives the declared shape of an input that is fed. Default its concrete shape. */
  readonly shapeOf?: (shape: readonly number[], index: number) => Shape;
  /** Build `decompose`'s nodes instead of the op. */
  readonly decomposed?: boolean;
}

/**
 * The one-node graph of a case with inputs `x0, x1, …` and outputs `y0, y1, …`. The same case gives the same graph and
 * the same inputs everywhere.
 *
 * @returns undefined if the decomposed form is asked for and the op has none.
 */
export function caseGraph(
  opCase: OpCase,
  options: CaseGraphOptions & { readonly decomposed: true },
): CaseGraph | undefined;
export function caseGraph(opCase: OpCase, options?: CaseGraphOptions & { readonly decomposed?: false }): CaseGraph;
export function caseGraph(opCase: OpCase, options: CaseGraphOptions = {}): CaseGraph | undefined {
  const builder = new GraphBuilder(opCase.id);
  const { values, inputs } = declareInputs(builder, opCase, options);
  const outputs = options.decomposed
    ? decomposedOutputs(builder, opCase, values)
    : nodeOutputs(builder, opCase, values);
  if (outputs === undefined) return undefined;
  outputs.forEach((output, index) => {
    builder.output(`y${index}`, output);
  });
  return { graph: builder.build(), inputs };
}

/**
 * The gradient graph of a case: inputs as in {@link caseGraph} and a random cotangent `dy0, dy1, …` for each floating
 * output; outputs `y0, …` and `dx<i>` for each differentiable input.
 */
export function gradientCaseGraph(opCase: OpCase, options: CaseGraphOptions = {}): CaseGraph {
  const builder = new GraphBuilder(`${opCase.id} gradient`);
  const { values, inputs } = declareInputs(builder, opCase, options);
  const outputs = nodeOutputs(builder, opCase, values);
  const fed: { [name: string]: Tensor } = { ...inputs };
  const seeds = outputs.flatMap((value, index) => {
    if (!isFloat(value.dtype)) return [];
    const name = `dy${index}`;
    const shape = concreteShape(value.shape, `output ${index} of ${opCase.id}`);
    fed[name] = caseTensor({ dtype: value.dtype, shape, low: -1, high: 1 }, `${opCase.id}#${name}`);
    return [{ value, gradient: builder.input(name, value.dtype, shape) }];
  });
  const wanted = opCase.differentiable ?? [];
  const gradients = backpropagate(
    builder,
    seeds,
    wanted.map((index) => values[index] as Value),
  );
  outputs.forEach((output, index) => {
    builder.output(`y${index}`, output);
  });
  wanted.forEach((index, at) => {
    builder.output(`dx${index}`, gradients[at] as Value);
  });
  return { graph: builder.build(), inputs: fed };
}

interface DeclaredInputs {
  readonly values: readonly (Value | undefined)[];
  readonly inputs: TensorMap;
}

function declareInputs(
  builder: GraphBuilder,
  opCase: OpCase,
  { floatDType, shapeOf }: CaseGraphOptions,
): DeclaredInputs {
  const inputs: { [name: string]: Tensor } = {};
  const values = opCase.inputs.map((input, index) => {
    if (input === undefined) return undefined;
    const dtype = isFloat(input.dtype) ? (floatDType ?? input.dtype) : input.dtype;
    const held = caseTensor(input, `${opCase.id}#${index}`, dtype);
    if (input.constant) return builder.constant(held, { name: `x${index}` });
    inputs[`x${index}`] = held;
    return builder.input(`x${index}`, dtype, shapeOf?.(input.shape, index) ?? input.shape);
  });
  return { values, inputs };
}

function nodeOutputs(builder: GraphBuilder, opCase: OpCase, values: readonly (Value | undefined)[]): readonly Value[] {
  const { op, attributes, outputs } = opCase as CaseOf<OpName>;
  return builder.node(op, values, attributes, outputs === undefined ? {} : { outputs });
}

function decomposedOutputs(
  builder: GraphBuilder,
  opCase: OpCase,
  values: readonly (Value | undefined)[],
): readonly Value[] | undefined {
  const outputs = nodeOutputs(builder, opCase, values);
  const node = builder.build().nodes.at(-1);
  return ops[opCase.op].decompose?.({
    builder,
    inputs: node?.inputs ?? [],
    outputs,
    attributes: node?.attributes as never,
    outputCount: outputs.length,
    input: (index) => node?.inputs[index] as Value,
  });
}
