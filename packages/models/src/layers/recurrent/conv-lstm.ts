import type { GraphBuilder, Value } from '@modelwright/core';
import { type ActivationLike, activationOf } from '../../activations.js';
import { floatDType, type LayerContext, requireAxes, requireKnown } from '../../layer.js';
import { permutedLayout } from '../../weights/keras-layout.js';
import { convolve, windowOf } from '../convolution.js';
import { channelsFirst, channelsLast, type DataFormat, type Padding, type Window } from '../spatial.js';
import { type PerAxis, requirePositive } from '../tuples.js';
import { type CellLoop, type CellMode, contextWith, type PreparedCell, type RecurrentCell } from './cell.js';
import {
  activated,
  addCellWeights,
  dropoutMask,
  droppedInput,
  type GateOptions,
  type GateWeights,
  splitEvenly,
  unitForgetBias,
  type WeightForm,
} from './gate-weights.js';
import { type RecurrentLayer, recurrentLayer, type SequenceOptions } from './recurrent-layer.js';

export interface ConvLstmOptions extends GateOptions, SequenceOptions {
  /** Number of channels of states and output. */
  readonly filters: number;
  /** Extents of the window, for the input and for the state. */
  readonly kernelSize: PerAxis;
  /** For the input. Default 1. */
  readonly strides?: PerAxis;
  /** For the input; that of the state is always `same`. Default `valid`. */
  readonly padding?: Padding;
  /** For the input. Default 1. */
  readonly dilationRate?: PerAxis;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
  /** Of candidate and output. Default tanh. */
  readonly activation?: ActivationLike;
  /** Of the gates. Default sigmoid. */
  readonly recurrentActivation?: ActivationLike;
  /** The bias of the forget gate begins with 1. Default true. */
  readonly unitForgetBias?: boolean;
}

/**
 * Long short-term memory whose products are convolutions over steps `[batch, time, length, channels]`; otherwise as
 * {@link convLstm2d}.
 */
export function convLstm1d(options: ConvLstmOptions): RecurrentLayer {
  return convLstm('convLstm1d', 1, options);
}

/**
 * Long short-term memory whose products are convolutions, for sequences of images.
 *
 * Input `[batch, time, height, width, channels]`, output `[batch, height', width', filters]` (or with `time` behind the batch),
 * states `h` and `c` `[batch, height', width', filters]`; weights in Keras's layout, gates i, f, c, o: `kernel`
 * `[height, width, channels, 4 · filters]`, `recurrentKernel` `[height, width, filters, 4 · filters]`, `bias` `[4 · filters]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` for another rank, `unsupported-shape` when height, width or channels are open.
 * @see Shi et al., arXiv:1506.04214.
 */
export function convLstm2d(options: ConvLstmOptions): RecurrentLayer {
  return convLstm('convLstm2d', 2, options);
}

/** {@link convLstm2d} for sequences of volumes `[batch, time, depth, height, width, channels]`. */
export function convLstm3d(options: ConvLstmOptions): RecurrentLayer {
  return convLstm('convLstm3d', 3, options);
}

function convLstm(kind: string, rank: number, options: ConvLstmOptions): RecurrentLayer {
  const filters = requirePositive(options.filters, `${kind}: filters`);
  const { recurrentDropout = 0, activation = 'tanh', recurrentActivation = 'sigmoid' } = options;
  for (const like of [activation, recurrentActivation]) activationOf(like);
  const window = windowOf(kind, rank, options);
  const cell: RecurrentCell = {
    kind: `${kind}Cell`,
    stateCount: 2,
    hasTrainingForm: recurrentDropout > 0,
    isBounded: false,
    prepare: (context, x, mode) => prepareCell({ context, x, mode, options, filters, window, rank }),
  };
  return recurrentLayer(kind, cell, options);
}

interface ConvCell {
  readonly context: LayerContext;
  /** `[time, batch, …space, channels]`, or the channels before the space. */
  readonly x: Value;
  readonly mode: CellMode;
  readonly options: ConvLstmOptions;
  readonly filters: number;
  readonly window: Window;
  readonly rank: number;
}

const axisNames: { readonly [rank: number]: string } = {
  1: '[batch, time, steps, channels]',
  2: '[batch, time, height, width, channels]',
  3: '[batch, time, depth, height, width, channels]',
};

function prepareCell(request: ConvCell): PreparedCell {
  const { context, x, rank, options, filters } = request;
  const first = options.dataFormat === 'channelsFirst';
  requireAxes(context, x, axisNames[rank] as string);
  const spaceAxes = Array.from({ length: rank }, (_, axis) => axis + (first ? 3 : 2));
  for (const axis of spaceAxes) requireKnown(context, x, axis);
  const weights = addWeights(request, requireKnown(context, x, first ? 2 : -1));
  const space = outputSpace(request, weights);
  const stateShape = first ? [filters, ...space] : [...space, filters];
  return {
    stateShapes: [stateShape, stateShape],
    outputIsState: true,
    loop: (): CellLoop => ({ sequences: [projectSteps(request, weights)], step: lstmStep(request, weights, space) }),
  };
}

function addWeights({ context, x, options, filters, window, rank }: ConvCell, channels: number): GateWeights {
  const kernelOf = (inputs: number): WeightForm => {
    const shape = [...window.size, inputs, 4 * filters];
    return { shape, layout: permutedLayout(shape, [rank + 1, rank, ...window.size.keys()]) };
  };
  return addCellWeights(context, options, {
    kernel: kernelOf(channels),
    recurrentKernel: kernelOf(filters),
    bias: { shape: [4 * filters] },
    biasInitializer: options.unitForgetBias === false ? undefined : unitForgetBias(options.biasInitializer),
    dtype: floatDType(context, x),
  });
}

/** `[time · batch, …]` with channels first → the convolved gates `[time, batch, 4 · filters, …space']`. */
function projectSteps({ context, x, mode, options, window }: ConvCell, { kernel, bias }: GateWeights): Value {
  const { builder } = context;
  const { dropout = 0, padding } = options;
  const single = (input: Value, part: Value, own: Value | undefined): Value => {
    const folded = fold(context, input, options.dataFormat);
    return convolve(context, { input: folded, kernel: part, bias: own, group: 1, window, padding });
  };
  if (dropout === 0 || mode === 'inference') return unfold(builder, single(x, kernel, bias), x);
  // Each gate drops elements of its own.
  const kernels = splitEvenly(builder, kernel, 4, 0);
  const biases = bias === undefined ? [] : splitEvenly(builder, bias, 4, 0);
  const gates = kernels.map((part, gate) => single(droppedInput(context, x, dropout, mode), part, biases[gate]));
  return unfold(builder, builder.op('Concat', gates, { axis: 1 }), x);
}

/** `[time, batch, …]` → `[time · batch, channels, …space]` */
function fold(context: LayerContext, x: Value, dataFormat: DataFormat | undefined): Value {
  const { builder } = context;
  const rest = x.shape.slice(2) as readonly number[];
  const folded = builder.op('Reshape', [x, builder.integers([-1, ...rest])]);
  return dataFormat === 'channelsFirst' ? folded : channelsFirst(context, folded);
}

/** `[time · batch, …]` → `[time, batch, …]` */
function unfold(builder: GraphBuilder, value: Value, like: Value): Value {
  const rest = builder.integers(value.shape.slice(1) as readonly number[]);
  const first = builder.op('Shape', [like], { start: 0, end: 2 });
  return builder.op('Reshape', [value, builder.op('Concat', [first, rest], { axis: 0 })]);
}

/** Extents of the states, from a convolution that is thrown away. */
function outputSpace(request: ConvCell, weights: GateWeights): readonly number[] {
  const { context } = request;
  let space: readonly number[] = [];
  context.builder.subgraph('probe', (inner) => {
    const aside = contextWith(context, { builder: inner });
    space = projectSteps({ ...request, context: aside, mode: 'inference' }, weights).shape.slice(
      3,
    ) as readonly number[];
  });
  return space;
}

function lstmStep(request: ConvCell, { recurrentKernel }: GateWeights, space: readonly number[]): CellLoop['step'] {
  const { context, options, window, mode } = request;
  const { activation = 'tanh', recurrentActivation = 'sigmoid', recurrentDropout = 0, dataFormat } = options;
  const ones = window.size.map(() => 1);
  const unit: Window = { size: window.size, strides: ones, dilations: ones };
  const kernels =
    mode === 'training' && recurrentDropout > 0
      ? splitEvenly(context.builder, recurrentKernel, 4, 0)
      : [recurrentKernel];
  const masks = kernels.length === 1 ? [] : kernels.map(() => stateMask(request, space));
  return (inner, [input], states) => {
    const aside = contextWith(context, { builder: inner });
    const turn = (value: Value): Value => (dataFormat === 'channelsFirst' ? value : channelsFirst(aside, value));
    const back = (value: Value): Value => (dataFormat === 'channelsFirst' ? value : channelsLast(aside, value));
    const [h, c] = states.map(turn) as [Value, Value];
    const products = kernels.map((kernel, gate) => {
      const kept = masks.length === 0 ? h : inner.op('Mul', [h, masks[gate]]);
      const request = { input: kept, kernel, bias: undefined, group: 1, window: unit, padding: 'same' as const };
      return convolve(aside, request);
    });
    const product = products.length === 1 ? (products[0] as Value) : inner.op('Concat', products, { axis: 1 });
    const [i, f, g, o] = splitEvenly(inner, inner.op('Add', [input, product]), 4, 1) as [Value, Value, Value, Value];
    const gate = (value: Value): Value => activated(inner, recurrentActivation, value);
    const added = inner.op('Mul', [gate(i), activated(inner, activation, g)]);
    const cell = inner.op('Add', [inner.op('Mul', [gate(f), c]), added]);
    const output = back(inner.op('Mul', [gate(o), activated(inner, activation, cell)]));
    return { output, states: [output, back(cell)] };
  };
}

/** A mask of the state with channels first. */
function stateMask({ context, x, filters, options }: ConvCell, space: readonly number[]): Value {
  const { builder } = context;
  const batch = builder.op('Shape', [x], { start: 1, end: 2 });
  const extents = builder.op('Concat', [batch, builder.integers([filters, ...space])], { axis: 0 });
  return dropoutMask(context, extents, { dropout: options.recurrentDropout ?? 0, like: x });
}
