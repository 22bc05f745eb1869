import { createLayer, floatDType, type Layer, requireKnown } from '../layer.js';
import { activate, addBias, type KernelOptions } from './kernel-options.js';
import { requirePositive } from './tuples.js';

export interface DenseOptions extends KernelOptions {
  /** Number of outputs. */
  readonly units: number;
}

/**
 * A fully connected layer: `y = activation(x · kernel + bias)`, over the last axis.
 *
 * Input `[batch, …, in]`, output `[batch, …, units]`; weights `kernel` `[in, units]`, `bias` `[units]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` without an axis of features, `unsupported-shape` when its extent is open.
 */
export function dense(options: DenseOptions): Layer {
  const units = requirePositive(options.units, 'dense: units');
  return createLayer({
    kind: 'dense',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      if (x === undefined || x.shape.length < 2)
        return context.fail('takes [batch, …, features], but its input has no features');
      const kernel = context.addWeight({
        name: 'kernel',
        shape: [requireKnown(context, x, -1), units],
        initializer: options.kernelInitializer ?? 'glorotUniform',
        regularizer: options.kernelRegularizer,
        constraint: options.kernelConstraint,
        dtype: floatDType(context, x),
      });
      const bias = addBias(context, options, { count: units, like: x });
      // Gemm adds the bias on the way; it is for matrices only.
      if (x.shape.length === 2) return activate(context, builder.op('Gemm', [x, kernel, bias]), options.activation);
      const product = builder.op('MatMul', [x, kernel]);
      return activate(context, bias === undefined ? product : builder.op('Add', [product, bias]), options.activation);
    },
  });
}
