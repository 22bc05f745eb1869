import type { DType, Shape } from '@modelwright/core';
import type { Layer } from './layer.js';

/**
 * Where a symbolic tensor comes from: an output of an applied layer, or an input of the model. Behind the outputs of a
 * layer, in their order, stand the masks that it makes for them.
 */
export type Origin =
  | { readonly application: Application; readonly index: number }
  | { readonly inputName: string | undefined };

/** A tensor that a model will compute: its shape and dtype are known, its values are not. Layers are applied to these. */
export class SymbolicTensor {
  readonly dtype: DType;
  /** With the batch axis: `['batch', 28, 28, 1]`. */
  readonly shape: Shape;
  readonly origin: Origin;
  /** Which steps count, bool `[batch, steps]`, where that is known: layers that keep masks pass it on. */
  readonly mask?: SymbolicTensor;

  constructor(type: { readonly dtype: DType; readonly shape: Shape }, origin: Origin, mask?: SymbolicTensor) {
    this.dtype = type.dtype;
    this.shape = type.shape;
    this.origin = origin;
    if (mask !== undefined) this.mask = mask;
  }
}

/** One use of a layer. */
export class Application {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  outputs: readonly SymbolicTensor[] = [];

  constructor(layer: Layer, inputs: readonly SymbolicTensor[]) {
    this.layer = layer;
    this.inputs = inputs;
  }
}
