import type { Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { reshapeTo, transposed } from '../graph/shape-ops.js';
import { isConcrete } from '../tensor/shape.js';
import { toNumbers } from '../tensor/tensor.js';
import { definitionOf } from './registry.js';

/** A value of a loop's body seen from outside: the same at every step, or one for each step along a new first axis. */
export interface Lifted {
  readonly value: Value;
  readonly isStacked: boolean;
}

/** What a rule sees. At least one input is stacked. */
interface LiftContext {
  readonly builder: GraphBuilder;
  /** The node of the body. */
  readonly node: Node;
  readonly inputs: readonly (Lifted | undefined)[];
  readonly steps: number;
  /** Elements of a constant input. */
  readonly constant: (index: number) => readonly number[] | undefined;
}

type Lift = (context: LiftContext) => readonly Value[] | undefined;

/**
 * The outputs of a node of a loop's body for all steps at once, stacked along a new first axis; undefined where the op has
 * no such form. Shapes must be concrete.
 *
 * @param inputs - the node's inputs seen from outside, at least one of them stacked.
 */
export function liftNode(
  builder: GraphBuilder,
  node: Node,
  inputs: readonly (Lifted | undefined)[],
  steps: number,
): readonly Value[] | undefined {
  if (node.outputs.some(({ shape }) => !isConcrete(shape))) return undefined;
  const definition = definitionOf(node);
  if (definition === undefined || definition.random) return undefined;
  const rule = definition.elementwise ? liftElementwise : rules[node.op];
  const constant = (index: number): readonly number[] | undefined => {
    const held = inputs[index] === undefined ? undefined : builder.constantOf(inputs[index].value);
    return held === undefined ? undefined : [...toNumbers(held)];
  };
  return rule?.({ builder, node, inputs, steps, constant });
}

const concrete = (value: Value): readonly number[] => value.shape as readonly number[];

/** The input as it enters an op that broadcasts to `rank` axes behind the steps. */
function padded(builder: GraphBuilder, { value, isStacked }: Lifted, rank: number): Value {
  const missing = rank - (value.shape.length - 1);
  if (!isStacked || missing <= 0) return value;
  const [steps, ...rest] = concrete(value) as [number, ...number[]];
  return reshapeTo(builder, value, [steps, ...new Array<number>(missing).fill(1), ...rest]);
}

/** The input with the axis of steps in any case. */
function expanded({ builder, steps }: LiftContext, { value, isStacked }: Lifted): Value {
  return isStacked ? value : builder.op('Expand', [value, builder.integers([steps, ...concrete(value)])]);
}

function liftElementwise({ builder, node, inputs }: LiftContext): readonly Value[] {
  const rank = (node.outputs[0] as Value).shape.length;
  const given = inputs.map((input) => (input === undefined ? undefined : padded(builder, input, rank)));
  return builder.anyNode({ ...node, inputs: given }, node.outputs);
}

/** For ops whose only effect is on the shape. */
const liftReshape: Lift = ({ builder, node, inputs, steps }) => {
  if (inputs.slice(1).some((input) => input?.isStacked)) return undefined;
  const shape = concrete(node.outputs[0] as Value);
  return [reshapeTo(builder, (inputs[0] as Lifted).value, [steps, ...shape])];
};

/** The same op, `axis` counted one further. */
const liftAxis: Lift = ({ builder, node, inputs }) => {
  if (inputs.slice(1).some((input) => input?.isStacked)) return undefined;
  const axis = node.attributes['axis'] as number;
  const attributes = { ...node.attributes, axis: axis < 0 ? axis : axis + 1 };
  return builder.anyNode({ ...node, attributes, inputs: inputs.map((input) => input?.value) }, node.outputs);
};

/** The same op, its second input (axes) counted one further. */
const liftReduction: Lift = ({ builder, node, inputs, constant }) => {
  const rank = node.inputs[0]?.shape.length ?? 0;
  const given = inputs[1] === undefined ? undefined : constant(1);
  if (inputs[1] !== undefined && given === undefined) return undefined;
  if (given === undefined && node.attributes['noop_with_empty_axes'] === 1) return undefined;
  const axes = (given ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) => (axis < 0 ? axis : axis + 1));
  if (axes.length === 0) return undefined;
  return builder.anyNode({ ...node, inputs: [(inputs[0] as Lifted).value, builder.integers(axes)] }, node.outputs);
};

const liftMatMul: Lift = ({ builder, inputs }) => {
  const [a, b] = inputs as readonly [Lifted, Lifted];
  const [left, right] = [innerRank(a), innerRank(b)];
  const fits = b.isStacked ? right >= 2 && left >= 2 && (!a.isStacked || left === right) : right === 2;
  return fits ? [builder.op('MatMul', [a.value, b.value])] : undefined;
};

const innerRank = ({ value, isStacked }: Lifted): number => value.shape.length - (isStacked ? 1 : 0);

/** Rows of all steps are rows of one product when the right side is the same at every step. */
const liftGemm: Lift = ({ builder, node, inputs, steps }) => {
  const [a, b, c] = inputs as readonly [Lifted, Lifted, Lifted | undefined];
  const { transA, transB, alpha, beta } = node.attributes as Record<'transA' | 'transB' | 'alpha' | 'beta', number>;
  const [rows, columns] = concrete(node.outputs[0] as Value) as [number, number];
  const isRowBias = c === undefined || (!c.isStacked && (c.value.shape.length < 2 || c.value.shape[0] === 1));
  if (a.isStacked && !b.isStacked && transA === 0 && isRowBias) {
    const flat = reshapeTo(builder, a.value, [steps * rows, a.value.shape[2] as number]);
    return [
      reshapeTo(builder, builder.op('Gemm', [flat, b.value, c?.value], { transB, alpha, beta }), [
        steps,
        rows,
        columns,
      ]),
    ];
  }
  if (c !== undefined || alpha !== 1) return undefined;
  const oriented = ({ value, isStacked }: Lifted, isTransposed: number): Value =>
    isTransposed === 0 ? value : transposed(builder, value, isStacked ? [0, 2, 1] : [1, 0]);
  return [builder.op('MatMul', [oriented(a, transA), oriented(b, transB)])];
};

const liftTranspose: Lift = ({ builder, node, inputs }) => {
  const rank = (node.outputs[0] as Value).shape.length;
  const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? [...Array(rank).keys()].reverse();
  return [builder.op('Transpose', [(inputs[0] as Lifted).value], { perm: [0, ...perm.map((axis) => axis + 1)] })];
};

const liftConcat: Lift = (context) => {
  const { builder, node, inputs } = context;
  const axis = node.attributes['axis'] as number;
  const parts = inputs.map((input) => expanded(context, input as Lifted));
  return [builder.op('Concat', parts, { axis: axis < 0 ? axis : axis + 1 })];
};

const liftExpand: Lift = ({ builder, node, inputs, steps }) => {
  if (inputs[1]?.isStacked) return undefined;
  const shape = concrete(node.outputs[0] as Value);
  const wide = padded(builder, inputs[0] as Lifted, shape.length);
  return [builder.op('Expand', [wide, builder.integers([steps, ...shape])])];
};

const liftSlice: Lift = ({ builder, node, inputs, constant }) => {
  const rank = (node.inputs[0] as Value).shape.length;
  if (inputs.slice(1).some((input) => input?.isStacked)) return undefined;
  const starts = constant(1);
  const axes = inputs[3] === undefined ? starts?.map((_, axis) => axis) : constant(3);
  if (axes === undefined) return undefined;
  const moved = builder.integers(axes.map((axis) => (axis < 0 ? axis + rank : axis) + 1));
  const [data, start, end, , steps] = inputs.map((input) => input?.value);
  return builder.anyNode({ ...node, inputs: [data, start, end, moved, steps] }, node.outputs);
};

const liftPad: Lift = ({ builder, node, inputs, constant }) => {
  const pads = constant(1);
  if (pads === undefined || inputs[3] !== undefined || inputs.slice(1).some((input) => input?.isStacked))
    return undefined;
  const half = pads.length / 2;
  const all = builder.integers([0, ...pads.slice(0, half), 0, ...pads.slice(half)]);
  return builder.anyNode({ ...node, inputs: [(inputs[0] as Lifted).value, all, inputs[2]?.value] }, node.outputs);
};

/** For ops that treat the samples of a batch alike: the batches of all steps are one. */
const liftBatch: Lift = ({ builder, node, inputs, steps }) => {
  if (inputs.slice(1).some((input) => input?.isStacked)) return undefined;
  const flat = mergeBatch(builder, (inputs[0] as Lifted).value);
  const shape = node.attributes['input_shape'] as readonly number[] | undefined;
  const attributes = {
    ...node.attributes,
    ...(shape === undefined ? {} : { input_shape: [flat.shape[0], ...shape.slice(1)] as number[] }),
  };
  const made = builder.anyNode(
    { ...node, attributes, inputs: [flat, ...inputs.slice(1).map((input) => input?.value)] },
    node.outputs,
  );
  return made.map((value, index) => reshapeTo(builder, value, [steps, ...concrete(node.outputs[index] as Value)]));
};

/** `[steps, batch, …]` as `[steps · batch, …]` */
export function mergeBatch(builder: GraphBuilder, value: Value): Value {
  const [steps, batch, ...rest] = concrete(value) as [number, number, ...number[]];
  return reshapeTo(builder, value, [steps * batch, ...rest]);
}

const rules: { readonly [op: string]: Lift | undefined } = {
  MatMul: liftMatMul,
  Gemm: liftGemm,
  Transpose: liftTranspose,
  Reshape: liftReshape,
  Squeeze: liftReshape,
  Unsqueeze: liftReshape,
  Flatten: liftReshape,
  Expand: liftExpand,
  Concat: liftConcat,
  Split: liftAxis,
  Slice: liftSlice,
  Pad: liftPad,
  Softmax: liftAxis,
  LogSoftmax: liftAxis,
  LayerNormalization: liftAxis,
  ReduceSum: liftReduction,
  ReduceMean: liftReduction,
  ReduceMax: liftReduction,
  ReduceMin: liftReduction,
  ReduceSumSquare: liftReduction,
  ReduceL2: liftReduction,
  Conv: liftBatch,
  ConvInputGradient: liftBatch,
};
