import type { Graph, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import type { DType } from '../tensor/dtype.js';
import { tensor } from '../tensor/tensor.js';
import { given, type OpCase, random, scalar } from './case.js';

/** A graph for an attribute: declared inputs, and outputs in the order `build` gives them. */
function bodyGraph(
  name: string,
  inputs: readonly (readonly [string, DType, readonly number[]])[],
  build: (builder: GraphBuilder, values: readonly Value[]) => readonly Value[],
): Graph {
  const builder = new GraphBuilder(name);
  const values = inputs.map(([input, dtype, shape]) => builder.input(`${name}_${input}`, dtype, shape));
  for (const [index, value] of build(builder, values).entries()) builder.output(`${name}_output_${index}`, value);
  return builder.build();
}

/** `h′ = exp(−(h + x))`, `y = h′ · x`, on vectors of 2. */
function recurrence(dtype: DType): Graph {
  const inputs = [
    ['h', dtype, [2]],
    ['x', dtype, [2]],
  ] as const;
  return bodyGraph('step', inputs, (builder, [h, x]) => {
    const next = builder.op('Exp', [builder.op('Neg', [builder.op('Add', [h, x])])], {}, { name: 'step_next' });
    return [next, builder.op('Mul', [next, x], {}, { name: 'step_product' })];
  });
}

/** As {@link recurrence}, giving out each state too, as recurrent layers do. */
function emittingRecurrence(): Graph {
  const inputs = [
    ['h', 'float64', [2]],
    ['x', 'float64', [2]],
  ] as const;
  return bodyGraph('emit', inputs, (builder, [h, x]) => {
    const next = builder.op('Sqrt', [builder.op('Add', [builder.op('Mul', [h, h]), builder.op('Exp', [x])])]);
    return [next, builder.op('Identity', [next])];
  });
}

/** No states: `y = x²`. */
const square = bodyGraph('square', [['x', 'float64', [2]]], (builder, [x]) => [builder.op('Mul', [x, x])]);

/** `v′ = v · 1.5 + i`, stacked `v′`, while the condition holds. */
function growth(dtype: DType, condition: (builder: GraphBuilder, given: Value, value: Value) => Value): Graph {
  const inputs = [
    ['i', 'int64', []],
    ['condition', 'bool', []],
    ['v', dtype, [2]],
  ] as const;
  return bodyGraph('growth', inputs, (builder, [i, holds, v]) => {
    const step = builder.op('Cast', [i as Value], { to: dtype === 'float64' ? 11 : 1 });
    const scaled = builder.op('Mul', [v, builder.op('Mul', [v, builder.scalar(0.5, dtype)])]);
    const next = builder.op('Add', [scaled, step]);
    return [condition(builder, holds as Value, next), next, builder.op('Identity', [next])];
  });
}

const keep = (builder: GraphBuilder, holds: Value): Value => builder.op('Identity', [holds]);

const constantBranch = (name: string, values: readonly number[]): Graph =>
  bodyGraph(name, [], (builder) => {
    const names = { name: `${name}_values`, nodeName: `${name}_constant` };
    return [builder.op('Constant', [], { value: tensor([...values]) }, names)];
  });

/** Cases of the control flow. What its bodies capture is tested beside the definitions. */
export const controlFlowCases: readonly OpCase[] = [
  ...[true, false].map(
    (condition): OpCase => ({
      id: `control-flow/If/${condition}`,
      op: 'If',
      inputs: [given('bool', [condition], [])],
      attributes: { then_branch: constantBranch('then', [1, 2]), else_branch: constantBranch('else', [3, 4]) },
    }),
  ),
  {
    id: 'control-flow/If/branches of different lengths',
    op: 'If',
    inputs: [given('bool', [true], [])],
    attributes: { then_branch: constantBranch('then', [1, 2]), else_branch: constantBranch('else', [3]) },
  },
  {
    id: 'control-flow/Scan/float32',
    op: 'Scan',
    inputs: [random('float32', [2]), random('float32', [4, 2])],
    attributes: { body: recurrence('float32'), num_scan_inputs: 1 },
    outputs: 2,
  },
  {
    id: 'control-flow/Scan/forward',
    op: 'Scan',
    inputs: [random('float64', [2]), random('float64', [4, 2])],
    attributes: { body: recurrence('float64'), num_scan_inputs: 1 },
    outputs: 2,
    differentiable: [0, 1],
  },
  {
    id: 'control-flow/Scan/backward',
    op: 'Scan',
    inputs: [random('float64', [2]), random('float64', [3, 2])],
    attributes: {
      body: recurrence('float64'),
      num_scan_inputs: 1,
      scan_input_directions: [1],
      scan_output_directions: [1],
    },
    outputs: 2,
    differentiable: [0, 1],
  },
  {
    id: 'control-flow/Scan/other axes',
    op: 'Scan',
    inputs: [random('float64', [2]), random('float64', [2, 3])],
    attributes: {
      body: recurrence('float64'),
      num_scan_inputs: 1,
      scan_input_axes: [-1],
      scan_output_axes: [1],
      scan_output_directions: [1],
    },
    outputs: 2,
    differentiable: [0, 1],
  },
  {
    id: 'control-flow/Scan/states given out',
    op: 'Scan',
    inputs: [random('float64', [2]), random('float64', [4, 2])],
    attributes: { body: emittingRecurrence(), num_scan_inputs: 1 },
    outputs: 2,
    differentiable: [0, 1],
  },
  {
    id: 'control-flow/Scan/one step',
    op: 'Scan',
    inputs: [random('float64', [2]), random('float64', [1, 2])],
    attributes: { body: emittingRecurrence(), num_scan_inputs: 1 },
    outputs: 2,
    differentiable: [0, 1],
  },
  {
    id: 'control-flow/Scan/no states',
    op: 'Scan',
    inputs: [random('float64', [3, 2])],
    attributes: { body: square, num_scan_inputs: 1 },
    differentiable: [0],
  },
  ...[1, 3, 5].map(
    (count): OpCase => ({
      id: `control-flow/Loop/${count} times`,
      op: 'Loop',
      inputs: [scalar('int64', count), scalar('bool', true), random('float64', [2], { low: 0.5, high: 1 })],
      attributes: { body: growth('float64', keep) },
      outputs: 2,
      differentiable: [2],
    }),
  ),
  {
    id: 'control-flow/Loop/float32',
    op: 'Loop',
    inputs: [scalar('int64', 3), scalar('bool', true), random('float32', [2])],
    attributes: { body: growth('float32', keep) },
    outputs: 2,
  },
  {
    id: 'control-flow/Loop/not at all',
    op: 'Loop',
    inputs: [scalar('int64', 0), scalar('bool', true), random('float32', [2])],
    attributes: { body: growth('float32', keep) },
    outputs: 2,
  },
  {
    id: 'control-flow/Loop/until its condition fails',
    op: 'Loop',
    inputs: [undefined, scalar('bool', true), given('float32', [1, 2])],
    attributes: {
      body: growth('float32', (builder, _, next) =>
        builder.op('Less', [builder.op('ReduceSum', [next], { keepdims: 0 }), builder.scalar(100, 'float32')]),
      ),
    },
    outputs: 2,
  },
];
