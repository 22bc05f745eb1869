import { backpropagate } from '../gradient/backpropagate.js';
import { capturesOf, type Graph, type Value, type ValueType } from '../graph/graph.js';
import { inlineGraph } from '../graph/inline.js';
import { isFloat } from '../tensor/dtype.js';
import { type Dimension, formatShape } from '../tensor/shape.js';
import type { GradientContext, InferContext, OpFamily } from './definition.js';
import { loop } from './loop.js';
import { atLeast, exactly } from './rules.js';
import { scan } from './scan.js';
import { requireDType } from './shape-inputs.js';
import { outputOf } from './subgraph-output.js';

/** Attributes of the control flow, by op. */
export interface ControlFlowAttributes {
  If: { then_branch: Graph; else_branch: Graph };
  Loop: { body: Graph };
  Scan: {
    body: Graph;
    num_scan_inputs: number;
    scan_input_axes?: readonly number[];
    scan_input_directions?: readonly number[];
    scan_output_axes?: readonly number[];
    scan_output_directions?: readonly number[];
  };
}

/** Control flow. */
export const controlFlow: OpFamily<ControlFlowAttributes> = {
  // The outputs of the branch that the condition names; the other one does not run.
  If: {
    inputs: exactly(1),
    outputs: atLeast(1),
    attributes: {
      then_branch: { kind: 'graph', required: true },
      else_branch: { kind: 'graph', required: true },
    },
    infer: (context) => {
      requireDType(context, 0, ['bool'], 'the condition');
      const { then_branch: whenTrue, else_branch: whenFalse } = context.attributes;
      if (whenTrue.outputs.length !== whenFalse.outputs.length || whenTrue.outputs.length === 0) {
        context.fail(
          `the branches have ${whenTrue.outputs.length} and ${whenFalse.outputs.length} outputs; both need the same number, at least 1`,
          {},
          'invalid-graph',
        );
      }
      return whenTrue.outputs.map((_, index) => branchType(context, index));
    },
    gradient: ifGradient,
    evaluate: (context) => {
      const { then_branch: whenTrue, else_branch: whenFalse } = context.attributes;
      return context.evaluateGraph(context.input(0).data[0] ? whenTrue : whenFalse, []);
    },
  },
  Loop: loop,
  Scan: scan,
};

function branchType(context: InferContext<ControlFlowAttributes['If']>, index: number): ValueType {
  const { then_branch: whenTrue, else_branch: whenFalse } = context.attributes;
  const [a, b] = [whenTrue.outputs[index]?.value as Value, whenFalse.outputs[index]?.value as Value];
  const condition = context.constant(0);
  // A condition known beforehand (exporters leave such) frees the branches from having to agree.
  if (condition !== undefined) return condition.data[0] ? a : b;
  if (a.dtype !== b.dtype) {
    context.fail(
      `output ${index} is ${a.dtype} in one branch and ${b.dtype} in the other`,
      { given: b.dtype, allowed: a.dtype },
      'dtype-mismatch',
    );
  }
  return { dtype: a.dtype, shape: commonShape(context, a.shape, b.shape, `output ${index} of the branches`) };
}

/** A shape that two others may have; extents that differ become unknown. */
export function commonShape(
  context: InferContext<object>,
  a: readonly Dimension[],
  b: readonly Dimension[],
  what: string,
): readonly Dimension[] {
  if (a.length !== b.length) {
    context.fail(
      `${what} have shapes ${formatShape(a)} and ${formatShape(b)}; ranks must be equal`,
      { given: b, allowed: a },
      'unsupported-shape',
    );
  }
  return a.map((extent, axis) => (extent === b[axis] ? extent : context.unknownDimension(context.op.toLowerCase())));
}

/** An `If` on the same condition of the gradients of the branches, each computed anew inside. */
function ifGradient(context: GradientContext<ControlFlowAttributes['If']>): readonly (Value | undefined)[] {
  const { builder, attributes, input, needs, outputGradients } = context;
  const captured = [...capturesOf(attributes.then_branch), ...capturesOf(attributes.else_branch)];
  const targets = [...new Set(captured.filter((value, index) => isFloat(value.dtype) && needs(1 + index)))];
  if (targets.length === 0) return [undefined];
  const gradientOf = (branch: Graph, name: string): Graph =>
    builder.subgraph(name, (inner) => {
      const results = inlineGraph(inner, branch, new Map(), { keepNames: false });
      const seeds = results.flatMap((value, index) => {
        const gradient = outputGradients[index];
        return gradient === undefined ? [] : [{ value, gradient }];
      });
      const gradients = backpropagate(inner, seeds, targets);
      for (const [index, gradient] of gradients.entries()) outputOf(inner, `gradient_${index}`, gradient);
    });
  const gradients = builder.node(
    'If',
    [input(0)],
    {
      then_branch: gradientOf(attributes.then_branch, 'then_gradient'),
      else_branch: gradientOf(attributes.else_branch, 'else_gradient'),
    },
    { outputs: targets.length },
  );
  // A value that both branches capture stands twice among the captured; its gradient counts once.
  const cotangents = captured.map((value, index) =>
    captured.indexOf(value) === index && targets.includes(value) ? gradients[targets.indexOf(value)] : undefined,
  );
  return [undefined, ...cotangents];
}
