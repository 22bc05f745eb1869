import {
  type DType,
  type ErrorCode,
  type ErrorDetails,
  formatShape,
  type GraphBuilder,
  isFloat,
  ModelwrightError,
  type Shape,
  type Tensor,
  type Value,
} from '@modelwright/core';
import type { InitializerLike } from './initializers/initializer.js';
import { traceLayer } from './model/trace.js';
import { Application, SymbolicTensor } from './symbolic-tensor.js';
import type { ConstraintLike } from './weights/constraints.js';
import type { KerasLayout } from './weights/keras-layout.js';
import type { RegularizerLike } from './weights/regularizers.js';

/** Options that every layer takes. */
export interface LayerOptions {
  /** Unique in its model; also the front part of its weights' names. Default: the kind, numbered. */
  readonly name?: string;
  /** Whether training changes the layer's weights. Default true. */
  readonly trainable?: boolean;
  /** Shape of the input without the batch axis; for the first layer of a `sequential` that has none of its own. */
  readonly inputShape?: InputShape;
}

/** Extents without the batch axis; `null` or a symbol where only the run can tell. */
export type InputShape = readonly (number | string | null)[];

/** A weight as a layer asks for it. */
export interface WeightRequest {
  /** Within the layer: `kernel`. */
  readonly name: string;
  /** Shape in Keras's layout; initializers and constraints see this one. */
  readonly shape: readonly number[];
  /** How it is stored in the graph. Default: as Keras has it. */
  readonly layout?: KerasLayout;
  readonly initializer: InitializerLike;
  readonly regularizer?: RegularizerLike | undefined;
  readonly constraint?: ConstraintLike | undefined;
  /** Default float32. */
  readonly dtype?: DType;
  /** Default true. */
  readonly trainable?: boolean;
  /** `statistic` for running means and the like, which gradients never change. */
  readonly role?: 'weight' | 'statistic';
}

/** Something a layer remembers from run to run. */
export interface StateRequest {
  /** Within the layer: `state_0`. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** What it is before the first run and after a reset. Default 0. */
  readonly initial?: Tensor;
}

/** What a layer remembers. */
export interface LayerState {
  /** As it is now. */
  readonly value: Value;
  /** Says what it becomes. */
  update(next: Value): void;
}

/** What a layer builds with. */
export interface LayerContext {
  /** Adds nodes to the model's graph. */
  readonly builder: GraphBuilder;
  /** Path of the layer: `stem.conv`. */
  readonly path: string;
  /** Which steps of each input count, bool `[batch, steps]`; undefined where all do. */
  readonly masks: readonly (Value | undefined)[];
  /** The weight of that name: created when the layer is first applied, the same one when it is shared. */
  addWeight(request: WeightRequest): Value;
  /** The state of that name: created when the layer is first applied. */
  addState(request: StateRequest): LayerState;
  /**
   * Adds the mean of `value`, one number or one for each example, to the loss that a model with this layer is trained for; logs
   * show it as `<layer>.<name>`.
   */
  addLoss(name: string, value: Value): void;
  /** Throws with the kind and path of the layer in front of the message. */
  fail(message: string, details?: ErrorDetails, code?: ErrorCode): never;
}

/** A layer's meaning: a plain function of symbolic values. */
export type LayerBuild = (context: LayerContext, inputs: readonly Value[]) => Value | readonly Value[];

/** Masks of a layer's outputs, in order. */
export type LayerMasks = (context: LayerContext, inputs: readonly Value[]) => readonly (Value | undefined)[];

/** What a layer is made of; see {@link createLayer}. */
export interface LayerDefinition {
  /** `conv2d` */
  readonly kind: string;
  readonly options: LayerOptions;
  /** Allowed numbers of inputs. Default exactly one. */
  readonly inputCount?: { readonly min: number; readonly max: number };
  /** Dtype of a model's input that this layer is first to read. Default float32. */
  readonly inputDType?: DType;
  /**
   * What becomes of masks: `keep` gives the first output that of the first input, `drop` gives none; or a function of the
   * context (with the inputs' masks) and the inputs. Default `drop`.
   */
  readonly mask?: 'keep' | 'drop' | LayerMasks;
  readonly build: LayerBuild;
}

/**
 * A layer: called on symbolic tensors it gives a symbolic tensor. Applying one layer several times shares its weights.
 *
 * @example
 * const image = input({ shape: [28, 28, 1] });
 * const logits = dense({ units: 10 })(flatten()(image));
 */
export interface Layer {
  (...inputs: LayerInputs): SymbolicTensor;
  /** The same as calling it. */
  apply(...inputs: LayerInputs): SymbolicTensor;
  /** All outputs, for layers that have several. */
  applyAll(...inputs: LayerInputs): readonly SymbolicTensor[];
  readonly definition: LayerDefinition;
  /** Later for layers made later; numbers the names of layers that have none. */
  readonly serial: number;
}

/** Symbolic tensors one by one, or all in one list. */
export type LayerInputs = readonly SymbolicTensor[] | readonly [readonly SymbolicTensor[]];

let layersMade = 0;

/** Makes a layer of its definition. */
export function createLayer(definition: LayerDefinition): Layer {
  const applyAll = (...inputs: LayerInputs): readonly SymbolicTensor[] => applyLayer(layer, inputs.flat());
  const applyOne = (...inputs: LayerInputs): SymbolicTensor => {
    const outputs = applyAll(...inputs);
    if (outputs.length === 1) return outputs[0] as SymbolicTensor;
    throw new ModelwrightError(
      'invalid-argument',
      `${whereOf(definition)} has ${outputs.length} outputs; take them with applyAll`,
      { given: outputs.length },
    );
  };
  const layer: Layer = Object.assign((...inputs: LayerInputs) => applyOne(...inputs), {
    apply: applyOne,
    applyAll,
    definition,
    serial: layersMade++,
  });
  return layer;
}

function applyLayer(layer: Layer, inputs: readonly SymbolicTensor[]): readonly SymbolicTensor[] {
  const { definition } = layer;
  const { min, max } = definition.inputCount ?? { min: 1, max: 1 };
  const odd = inputs.find((input) => !(input instanceof SymbolicTensor));
  if (odd !== undefined) {
    throw new ModelwrightError(
      'invalid-argument',
      `${whereOf(definition)} is applied to symbolic tensors; begin with input({ shape })`,
      {
        given: typeof odd,
      },
    );
  }
  if (inputs.length < min || inputs.length > max) {
    const allowed = min === max ? String(min) : max === Number.POSITIVE_INFINITY ? `${min} or more` : `${min}…${max}`;
    throw new ModelwrightError(
      'invalid-argument',
      `${whereOf(definition)} takes ${allowed} inputs, ${inputs.length} were given`,
      {
        given: inputs.length,
        allowed,
      },
    );
  }
  const { outputs, masks } = traceLayer(definition, inputs);
  const application = new Application(layer, inputs);
  application.outputs = outputs.map((type, index) => {
    const made = masks[index];
    const mask =
      made === undefined || made instanceof SymbolicTensor
        ? made
        : new SymbolicTensor(made, { application, index: outputs.length + index });
    return new SymbolicTensor(type, { application, index }, mask);
  });
  return application.outputs;
}

/** `conv2d 'stem'`, or the kind alone while it has no name. */
export function whereOf({ kind, options }: Pick<LayerDefinition, 'kind' | 'options'>): string {
  return options.name === undefined ? kind : `${kind} '${options.name}'`;
}

/**
 * Checks the rank of a layer's input.
 *
 * @param axes - Names of the axes, as errors show them: `[batch, height, width, channels]`.
 */
export function requireAxes(context: LayerContext, input: { readonly shape: Shape }, axes: string): void {
  const rank = axes.split(',').length;
  if (input.shape.length === rank) return;
  context.fail(`takes ${axes}, but its input has rank ${input.shape.length}: ${formatShape(input.shape)}`, {
    given: input.shape,
    allowed: axes,
  });
}

/** The extent of an axis that a weight's shape depends on. */
export function requireKnown(context: LayerContext, input: { readonly shape: Shape }, axis: number): number {
  const extent = input.shape.at(axis);
  if (typeof extent === 'number') return extent;
  return context.fail(
    `needs to know axis ${axis} of its input, which is ${formatShape(input.shape)}`,
    { given: input.shape },
    'unsupported-shape',
  );
}

/** The dtype of weights that meet `input`: its own, which has to be floating. */
export function floatDType(context: LayerContext, { dtype }: { readonly dtype: DType }): DType {
  if (isFloat(dtype)) return dtype;
  return context.fail(
    `takes floating-point numbers, but its input is ${dtype}; rescaling() converts`,
    { given: dtype },
    'dtype-mismatch',
  );
}
