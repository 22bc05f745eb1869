import { type DType, type GraphBuilder, Tensor, toNumbers, type Value } from '@modelwright/core';
import { type ActivationLike, type ActivationName, activationOf } from '../../activations.js';
import { type Initializer, type InitializerLike, initializerOf } from '../../initializers/initializer.js';
import { floatDType, type LayerContext, type LayerOptions, requireKnown, type WeightRequest } from '../../layer.js';
import type { ConstraintLike } from '../../weights/constraints.js';
import { permutedLayout } from '../../weights/keras-layout.js';
import type { RegularizerLike } from '../../weights/regularizers.js';
import type { CellMode } from './cell.js';

/** Options of the weights of recurrent cells and of what they drop. */
export interface GateOptions extends LayerOptions {
  /** Default true. */
  readonly useBias?: boolean;
  /** Default glorotUniform. */
  readonly kernelInitializer?: InitializerLike;
  /** Default orthogonal. */
  readonly recurrentInitializer?: InitializerLike;
  /** Default zeros. */
  readonly biasInitializer?: InitializerLike;
  readonly kernelRegularizer?: RegularizerLike;
  readonly recurrentRegularizer?: RegularizerLike;
  readonly biasRegularizer?: RegularizerLike;
  readonly kernelConstraint?: ConstraintLike;
  readonly recurrentConstraint?: ConstraintLike;
  readonly biasConstraint?: ConstraintLike;
  /** Share of the input's features that are dropped while training: the same ones at all steps of a sequence. Default 0. */
  readonly dropout?: number;
  /**
   * Share of the hidden state's units that are dropped while training, the same ones at all steps; each gate has its own, for
   * the input then, too. Default 0.
   *
   * @see Gal and Ghahramani, arXiv:1512.05287.
   */
  readonly recurrentDropout?: number;
}

/** What a cell has of blocks of weights. */
export interface GateLayout {
  readonly units: number;
  /** Number of gates. */
  readonly gates: number;
  /** Stored gate `i` is Keras's gate `order[i]`. */
  readonly order?: readonly number[];
  /** Keras keeps a bias for the input and one for the state. */
  readonly twoBiases?: boolean;
  /** Initializer of the bias, where it is not that of the options. */
  readonly biasInitializer?: Initializer;
}

/** Weights as ONNX's recurrent ops take them. */
export interface GateWeights {
  /** `[1, gates · units, features]` */
  readonly kernel: Value;
  /** `[1, gates · units, units]` */
  readonly recurrentKernel: Value;
  /** `[1, gates · units]`, or both `[1, 2 · gates · units]`. */
  readonly bias: Value | undefined;
}

/** A weight's shape as Keras has it, and how it is stored. */
export type WeightForm = Pick<WeightRequest, 'shape' | 'layout'>;

/** What the weights of a cell look like. */
export interface CellWeightForms {
  readonly kernel: WeightForm;
  readonly recurrentKernel: WeightForm;
  readonly bias: WeightForm;
  /** Instead of the option of that name. */
  readonly biasInitializer?: InitializerLike | undefined;
  readonly dtype: DType;
}

/** `kernel`, `recurrentKernel` and, unless the user wants none, `bias`. */
export function addCellWeights(context: LayerContext, options: GateOptions, forms: CellWeightForms): GateWeights {
  const { dtype, biasInitializer } = forms;
  return {
    kernel: context.addWeight({
      name: 'kernel',
      ...forms.kernel,
      initializer: options.kernelInitializer ?? 'glorotUniform',
      regularizer: options.kernelRegularizer,
      constraint: options.kernelConstraint,
      dtype,
    }),
    recurrentKernel: context.addWeight({
      name: 'recurrentKernel',
      ...forms.recurrentKernel,
      initializer: options.recurrentInitializer ?? 'orthogonal',
      regularizer: options.recurrentRegularizer,
      constraint: options.recurrentConstraint,
      dtype,
    }),
    bias:
      options.useBias === false
        ? undefined
        : context.addWeight({
            name: 'bias',
            ...forms.bias,
            initializer: biasInitializer ?? options.biasInitializer ?? 'zeros',
            regularizer: options.biasRegularizer,
            constraint: options.biasConstraint,
            dtype,
          }),
  };
}

/** The weights of a cell: in Keras `kernel` `[features, gates · units]`, `recurrentKernel` `[units, gates · units]` and `bias`. */
export function addGateWeights(
  context: LayerContext,
  options: GateOptions,
  { x, layout }: { readonly x: Value; readonly layout: GateLayout },
): GateWeights {
  const { units, gates, order, twoBiases = false, biasInitializer } = layout;
  const rows = gates * units;
  const matrix = (features: number): WeightForm => {
    const shape = [features, rows];
    return { shape, layout: permutedLayout(shape, [1, 0], [1, rows, features], order) };
  };
  const biasShape = twoBiases ? [2, rows] : [rows];
  const stored = [1, twoBiases ? 2 * rows : rows];
  return addCellWeights(context, options, {
    kernel: matrix(requireKnown(context, x, -1)),
    recurrentKernel: matrix(units),
    bias: { shape: biasShape, layout: permutedLayout(biasShape, [...biasShape.keys()], stored, order) },
    biasInitializer,
    dtype: floatDType(context, x),
  });
}

/** Ones for the second of four blocks (Keras's forget gate), the given initializer for the others. */
export function unitForgetBias(like: InitializerLike = 'zeros'): Initializer {
  const others = initializerOf(like);
  const draw: Initializer = (shape, context) => {
    const units = (shape[0] as number) / 4;
    const drawn = (count: number): readonly number[] => {
      const given = others([count], context);
      return Array.from(given instanceof Tensor ? toNumbers(given) : given);
    };
    return [...drawn(units), ...new Float64Array(units).fill(1), ...drawn(2 * units)];
  };
  return Object.assign(draw, { deferred: others.deferred ?? false });
}

/** Both biases of ONNX's recurrent ops `[1, 2 · rows]`: the one that Keras lacks is 0. */
export function bothBiases(builder: GraphBuilder, bias: Value | undefined): Value | undefined {
  if (bias === undefined) return undefined;
  const zeros = builder.op('Expand', [
    builder.scalar(0, bias.dtype),
    builder.integers(bias.shape as readonly number[]),
  ]);
  return builder.op('Concat', [bias, zeros], { axis: 1 });
}

/** A stored kernel as what a row vector is multiplied with: `[1, rows, in]` → `[in, rows]`. */
export function columnsOf(builder: GraphBuilder, kernel: Value): Value {
  const matrix = builder.op('Squeeze', [kernel, builder.integers([0])]);
  return builder.op('Transpose', [matrix], { perm: [1, 0] });
}

/** Columns of each gate: `[in, gates · units]` → `[gates, in, units]`. */
export function columnsByGate(builder: GraphBuilder, columns: Value, gates: number): Value {
  const [features, rows] = columns.shape as readonly [number, number];
  const split = builder.op('Reshape', [columns, builder.integers([features, gates, rows / gates])]);
  return builder.op('Transpose', [split], { perm: [1, 0, 2] });
}

/** What each step adds up of the input: `x · kernel + bias`, for all steps at once. */
export function projectInput(
  context: LayerContext,
  request: {
    /** `[time, batch, features]` */
    readonly x: Value;
    readonly kernel: Value;
    /** `[1, rows]` */
    readonly bias: Value | undefined;
    readonly dropout: number;
    readonly mode: CellMode;
    readonly gates: number;
    /** Each gate drops features of its own. */
    readonly byGate: boolean;
  },
): Value {
  const { x, kernel, bias, dropout, mode, gates, byGate } = request;
  const { builder } = context;
  const columns = columnsOf(builder, kernel);
  const product =
    byGate && dropout > 0 && mode === 'training'
      ? projectByGate(context, { x, columns, dropout, gates })
      : builder.op('MatMul', [droppedInput(context, x, dropout, mode), columns]);
  return bias === undefined ? product : builder.op('Add', [product, bias]);
}

function projectByGate(
  context: LayerContext,
  { x, columns, dropout, gates }: { x: Value; columns: Value; dropout: number; gates: number },
): Value {
  const { builder } = context;
  const rows = columns.shape[1] as number;
  const parts = splitEvenly(builder, columns, gates, 1).map((part) =>
    builder.op('MatMul', [
      builder.op('Mul', [x, dropoutMask(context, stepShape(builder, x), { dropout, like: x })]),
      part,
    ]),
  );
  const joined = builder.op('Concat', parts, { axis: 2 });
  return joined.shape[2] === rows ? joined : context.fail('has gates of different sizes');
}

/** The sequence without the features that are dropped: one draw for all steps. */
export function droppedInput(context: LayerContext, x: Value, dropout: number, mode: CellMode): Value {
  if (dropout === 0 || mode === 'inference') return x;
  const { builder } = context;
  const kept = builder.op('Mul', [x, dropoutMask(context, stepShape(builder, x), { dropout, like: x })]);
  return mode === 'training' ? kept : builder.op('TrainingSwitch', [x, kept]);
}

/** Extents `[batch, …]` of a step of `[time, batch, …]`. */
function stepShape(builder: GraphBuilder, x: Value): Value {
  const inner = x.shape.slice(1);
  return inner.every((extent) => typeof extent === 'number')
    ? builder.integers(inner as readonly number[])
    : builder.op('Shape', [x], { start: 1 });
}

/** 0 with probability `dropout`, else `1 / (1 − dropout)`. */
export function dropoutMask(
  { builder }: LayerContext,
  extents: Value,
  { dropout, like }: { readonly dropout: number; readonly like: { readonly dtype: DType } },
): Value {
  const ones = builder.op('Expand', [builder.scalar(1, like.dtype), extents]);
  return builder.op('Dropout', [ones, builder.scalar(dropout, like.dtype)]);
}

/** Masks `[gates, batch, units]` of the hidden state; one that serves all gates if there is only one. */
export function stateMask(
  context: LayerContext,
  {
    x,
    units,
    gates,
    dropout,
  }: { readonly x: Value; readonly units: number; readonly gates: number; readonly dropout: number },
): Value {
  const { builder } = context;
  const batch = x.shape[1];
  const rest = builder.integers([units]);
  const first = typeof batch === 'number' ? builder.integers([batch]) : builder.op('Shape', [x], { start: 1, end: 2 });
  const leading = gates === 1 ? [] : [builder.integers([gates])];
  return dropoutMask(context, builder.op('Concat', [...leading, first, rest], { axis: 0 }), { dropout, like: x });
}

/** Equal parts along an axis. */
export function splitEvenly(builder: GraphBuilder, value: Value, parts: number, axis: number): readonly Value[] {
  if (parts === 1) return [value];
  const extent = value.shape.at(axis) as number;
  const sizes = builder.integers(Array.from({ length: parts }, () => extent / parts));
  return builder.node('Split', [value, sizes], { axis }, { outputs: parts });
}

/** An activation as ONNX's recurrent ops name it. */
interface OpActivation {
  readonly name: string;
  readonly alpha?: number;
  readonly beta?: number;
}

const opActivations: { readonly [N in ActivationName]?: OpActivation } = {
  linear: { name: 'Affine', alpha: 1, beta: 0 },
  relu: { name: 'Relu' },
  leakyRelu: { name: 'LeakyRelu', alpha: 0.2 },
  sigmoid: { name: 'Sigmoid' },
  hardSigmoid: { name: 'HardSigmoid', alpha: 1 / 6, beta: 0.5 },
  tanh: { name: 'Tanh' },
  elu: { name: 'Elu', alpha: 1 },
  softplus: { name: 'Softplus' },
  softsign: { name: 'Softsign' },
};

/** Attributes of a recurrent op for activations in its order; undefined if it has not all of them. */
export function activationAttributes(likes: readonly ActivationLike[]):
  | {
      readonly activations: readonly string[];
      readonly activation_alpha?: readonly number[];
      readonly activation_beta?: readonly number[];
    }
  | undefined {
  const found = likes.map((like) => (typeof like === 'string' ? opActivations[like] : undefined));
  if (found.includes(undefined)) return undefined;
  const known = found as readonly OpActivation[];
  const numbers = (key: 'alpha' | 'beta'): readonly number[] => known.flatMap((each) => each[key] ?? []);
  const [alphas, betas] = [numbers('alpha'), numbers('beta')];
  return {
    activations: known.map(({ name }) => name),
    ...(alphas.length === 0 ? {} : { activation_alpha: alphas }),
    ...(betas.length === 0 ? {} : { activation_beta: betas }),
  };
}

const bounded: ReadonlySet<ActivationLike> = new Set([
  'tanh',
  'sigmoid',
  'hardSigmoid',
  'hardTanh',
  'softsign',
  'softmax',
]);

/** Whether all these activations have bounds. */
export function areBounded(likes: readonly ActivationLike[]): boolean {
  return likes.every((like) => bounded.has(like));
}

/** Applies an activation in the graph of `builder`. */
export function activated(builder: GraphBuilder, like: ActivationLike, value: Value): Value {
  return activationOf(like)(builder, value);
}
