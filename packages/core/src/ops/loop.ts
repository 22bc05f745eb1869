import { ModelwrightError } from '../errors.js';
import { capturesOf, type Graph, type Value, type ValueType } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { inlineGraph } from '../graph/inline.js';
import type { Dimension } from '../tensor/shape.js';
import { fullTensor, type Tensor, tensor, toNumbers } from '../tensor/tensor.js';
import { type ControlFlowAttributes, commonShape } from './control-flow.js';
import type { EvaluateContext, GradientContext, InferContext, OpDefinition } from './definition.js';
import { atLeast } from './rules.js';
import { emptyLike, stackAlong } from './scan.js';
import { scanGradient } from './scan-gradient.js';
import { requireDType } from './shape-inputs.js';
import { outputOf } from './subgraph-output.js';

type LoopAttributes = ControlFlowAttributes['Loop'];

// No graph of ours means more; without it a hostile one would run for ever.
const mostIterations = 2 ** 24;

/**
 * Repeats a body while its condition holds, at most `M` times: `(i, condition, carried…) → (condition′, carried′…, stacked…)`.
 * Inputs are `(M?, condition?, carried…)`, outputs the final carried values and the stacked ones.
 */
export const loop: OpDefinition<LoopAttributes> = {
  inputs: atLeast(2),
  outputs: atLeast(1),
  attributes: { body: { kind: 'graph', required: true } },
  infer: (context) => {
    const { body } = context.attributes;
    checkBody(context);
    const carried = context.inputs.length - 2;
    return body.outputs.slice(1).map(({ value }, index): ValueType => {
      if (index >= carried) return { dtype: value.dtype, shape: [tripCount(context), ...value.shape] };
      return carriedType(context, index, value);
    });
  },
  gradient: loopGradient,
  evaluate: runLoop,
};

function checkBody(context: InferContext<LoopAttributes>): void {
  const { attributes, fail, inputs } = context;
  const { body } = attributes;
  if (inputs[0] !== undefined) requireDType(context, 0, ['int64'], 'the trip count');
  if (inputs[1] !== undefined) requireDType(context, 1, ['bool'], 'the condition');
  if (body.inputs.length !== inputs.length || body.outputs.length < inputs.length - 1) {
    fail(
      `has ${inputs.length} inputs; its body must take as many (it takes ${body.inputs.length}) and give a condition and ${inputs.length - 2} carried values (it gives ${body.outputs.length})`,
      { given: body.inputs.length, allowed: inputs.length },
      'invalid-graph',
    );
  }
}

function carriedType(context: InferContext<LoopAttributes>, index: number, after: Value): ValueType {
  const before = context.input(index + 2);
  if (before.dtype !== after.dtype) {
    context.fail(
      `carried value ${index} starts as ${before.dtype}, the body makes it ${after.dtype}`,
      { given: after.dtype, allowed: before.dtype },
      'dtype-mismatch',
    );
  }
  return { dtype: before.dtype, shape: commonShape(context, before.shape, after.shape, `carried value ${index}`) };
}

function tripCount(context: InferContext<LoopAttributes>): Dimension {
  const { body } = context.attributes;
  const limit = context.dimensions(0)?.[0];
  const always = isAlways(
    context.inputs[1],
    (value) => context.constant(1) ?? (value === undefined ? fullTensor('bool', [], 1) : undefined),
  );
  return limit !== undefined && always && keepsCondition(body) ? limit : context.unknownDimension('loop');
}

function isAlways(condition: Value | undefined, constantOf: (value: Value | undefined) => Tensor | undefined): boolean {
  return condition === undefined || constantOf(condition)?.data[0] === 1;
}

/** Whether the body passes its condition on unchanged or as a constant that holds, so that only the count ends the loop. */
function keepsCondition(body: Graph): boolean {
  let value = (body.outputs[0] as { value: Value }).value;
  for (;;) {
    const node = body.nodes.find((each) => each.outputs.includes(value));
    if (node === undefined) break;
    if (node.op === 'Constant') return (node.attributes['value'] as Tensor).data[0] === 1;
    if (node.op !== 'Identity') return false;
    value = node.inputs[0] as Value;
  }
  return value === body.inputs[1] || body.constants.get(value)?.data[0] === 1;
}

function runLoop(context: EvaluateContext<LoopAttributes>): readonly Tensor[] {
  const { inputs } = context;
  const { body } = context.attributes;
  const limit = inputs[0] === undefined ? Number.POSITIVE_INFINITY : (toNumbers(inputs[0])[0] as number);
  let condition = inputs[1] ?? fullTensor('bool', [], 1);
  let carried = inputs.slice(2) as readonly Tensor[];
  const stacked: (readonly Tensor[])[] = [];
  for (let iteration = 0; iteration < limit && condition.data[0] === 1; iteration++) {
    if (iteration === mostIterations) {
      context.fail(`ran ${mostIterations} iterations and has not ended`, { given: limit }, 'limit-exceeded');
    }
    const results = context.evaluateGraph(body, [tensor(iteration, { dtype: 'int64' }), condition, ...carried]);
    condition = results[0] as Tensor;
    carried = results.slice(1, carried.length + 1);
    stacked.push(results.slice(carried.length + 1));
  }
  const outputs = body.outputs.slice(carried.length + 1).map((_, index) =>
    stackAlong(
      stacked.map((step) => step[index] as Tensor),
      0,
      emptyLike(body, carried.length + 1 + index),
    ),
  );
  return [...carried, ...outputs];
}

/** A loop that runs a constant number of times is a `Scan` over its iteration numbers, and differentiates as one. */
function loopGradient(context: GradientContext<LoopAttributes>): readonly (Value | undefined)[] {
  const { builder, attributes, inputs, outputs, outputGradients, needs } = context;
  const count = inputs[0] === undefined ? undefined : builder.constantOf(inputs[0]);
  const always = isAlways(inputs[1], (value) => (value === undefined ? undefined : builder.constantOf(value)));
  if (count === undefined || !always || !keepsCondition(attributes.body)) {
    throw new ModelwrightError(
      'not-differentiable',
      'a Loop has a gradient only when its trip count is constant and its condition always holds',
      { op: 'Loop', hint: 'use a Scan' },
    );
  }
  const trips = toNumbers(count)[0] as number;
  const numbers = builder.integers([...Array(Math.max(0, trips)).keys()]);
  const carried = inputs.slice(2) as readonly Value[];
  const body = scanBody(builder, attributes.body, carried);
  const scanInputs = [...carried, numbers];
  const [own, captured] = [[...capturesOf(attributes.body)], [...capturesOf(body)]];
  const needsValue = (index: number): boolean => {
    if (index < carried.length) return needs(index + 2);
    const value = captured[index - scanInputs.length];
    return value !== undefined && needs(inputs.length + own.indexOf(value));
  };
  const results = scanGradient({
    builder,
    inputs: scanInputs,
    outputs,
    outputGradients,
    get outputGradient(): Value {
      return context.outputGradient;
    },
    attributes: { body, num_scan_inputs: 1 },
    input: (index) => scanInputs[index] as Value,
    needs: needsValue,
  });
  const gradientOf = (value: Value): Value | undefined => results[scanInputs.length + captured.indexOf(value)];
  return [undefined, undefined, ...results.slice(0, carried.length), ...own.map(gradientOf)];
}

function scanBody(builder: GraphBuilder, body: Graph, carried: readonly Value[]): Graph {
  return builder.subgraph('loop_body', (inner) => {
    const states = carried.map(({ dtype, shape }, index) => inner.input(`carried_${index}`, dtype, shape));
    const iteration = inner.input('iteration', 'int64', []);
    const holds = inner.constant(fullTensor('bool', [], 1));
    const bindings = new Map([iteration, holds, ...states].map((value, index) => [body.inputs[index] as Value, value]));
    const [, ...results] = inlineGraph(inner, body, bindings, { keepNames: false });
    for (const [index, value] of results.entries()) outputOf(inner, `output_${index}`, value);
  });
}
