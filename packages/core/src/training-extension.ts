import type { Executable } from './backend.js';
import type { Graph, Value } from './graph/graph.js';
import type { GraphBuilder } from './graph/graph-builder.js';
import type { Model, Parameter } from './model.js';
import type { Tensor, TensorMap } from './tensor/tensor.js';

/** State that an extension carries through training: pruning masks, say. Checkpoints keep it. */
export interface ExtensionSlot {
  /** Unique within the extension. */
  readonly name: string;
  readonly initial: Tensor;
  /** Changed by the optimizer as weights are, where the loss depends on it: a learned range, say. Default false. */
  readonly trainable?: boolean;
}

/** A weight on its way through a training program. */
export interface ExtendedWeight {
  readonly builder: GraphBuilder;
  readonly parameter: Parameter;
  /** The weight: what is stored (forward), or what the optimizer has made of it (update). */
  readonly value: Value;
  /** The extension's slots, by name. */
  readonly slots: { readonly [name: string]: Value };
}

/** A weight that the optimizer has just updated. */
export interface ExtendedUpdate extends ExtendedWeight {
  /** The weight as it is stored, before the update. */
  readonly previous: Value;
  /** Gradient of this batch's loss by what the forward pass saw of the weight: before a mask hides any of it. */
  readonly gradient: Value;
  /** Says what a slot of the extension becomes; a slot of which nothing is said stays as it is. */
  setSlot(name: string, value: Value): void;
}

/** What an extra loss is built from. */
export interface ExtendedLoss {
  readonly builder: GraphBuilder;
  /** The model's inputs of this batch, by name. */
  readonly inputs: { readonly [name: string]: Value };
  /** The model's outputs, by name. */
  readonly outputs: { readonly [name: string]: Value };
  /** Targets by output name. */
  readonly targets: { readonly [name: string]: Value };
  /** What {@link TrainingExtension.watch} asked for, by the names given there. */
  readonly watched: { readonly [name: string]: Value };
  readonly slots: { readonly [name: string]: Value };
}

/** Between two steps: state may be read and replaced. */
export interface ExtensionStep {
  /** Updates made so far. */
  readonly step: number;
  /** The training program; its slots of this extension are named `extension.<extension>.<slot>`, weights by their names. */
  readonly executable: Executable;
}

/** All slots of an extension in the training of `model`. */
export function extensionSlots(extension: TrainingExtension, model: Model): readonly ExtensionSlot[] {
  return [...(extension.slots ?? []), ...(extension.slotsFor?.(model) ?? [])];
}

/**
 * What another package (pruning, quantization, distillation) adds to training: changes to the training program while it is
 * built, and hooks between its steps. The trainer takes a list of them and knows none.
 */
export interface TrainingExtension {
  readonly name: string;
  readonly slots?: readonly ExtensionSlot[];
  /** More slots, where what they are depends on the model that is trained. */
  slotsFor?(model: Model): readonly ExtensionSlot[];
  /** Rewrites the forward graph in its training form, before it is differentiated. Inputs and outputs keep their names. */
  transformForward?(graph: Graph): Graph;
  /** What the forward pass sees of a weight (masked, fake-quantized); gradients flow through it. */
  transformWeight?(weight: ExtendedWeight): Value;
  /** The weight that is kept after the optimizer's update. */
  transformUpdate?(weight: ExtendedUpdate): Value;
  /** What is kept of a weight's moving average, where the optimizer keeps one. */
  transformAverage?(weight: ExtendedWeight): Value;
  /** Factor of the loss for the targets, where an extra loss takes a share of its place. Default 1. */
  readonly lossWeight?: number;
  /** Values of the model's graph that the extra loss is built from beside inputs and outputs: features, say. */
  watch?(model: Model): { readonly [name: string]: Value };
  /** A scalar added to the loss: a teacher's, say. */
  extraLoss?(context: ExtendedLoss): Value | undefined;
  /**
   * Whether {@link beforeStep} and {@link afterStep} have anything to do when `step` updates have been made: batches in between may be
   * handed to the device together. Default always.
   */
  actsAt?(step: number): boolean;
  /** Runs before each update. Work here costs every step: return undefined when there is nothing to do. */
  beforeStep?(step: ExtensionStep): Promise<void> | void;
  /** Runs after each update. */
  afterStep?(step: ExtensionStep): Promise<void> | void;
  /** Receives what the slots hold, by name, whenever weights are brought into the model: at the end of each `fit`. */
  synchronize?(slots: TensorMap): Promise<void> | void;
}
