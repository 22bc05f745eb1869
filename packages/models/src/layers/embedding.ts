import { onnxDataType, type Value } from '@modelwright/core';
import type { InitializerLike } from '../initializers/initializer.js';
import { createLayer, type Layer, type LayerOptions } from '../layer.js';
import type { ConstraintLike } from '../weights/constraints.js';
import type { RegularizerLike } from '../weights/regularizers.js';
import { differsFrom } from './masking.js';
import { requirePositive } from './tuples.js';

export interface EmbeddingOptions extends LayerOptions {
  /** Number of different indices: these are 0…inputDim − 1. */
  readonly inputDim: number;
  /** Length of the vectors. */
  readonly outputDim: number;
  /** Default randomUniform. */
  readonly embeddingsInitializer?: InitializerLike;
  readonly embeddingsRegularizer?: RegularizerLike;
  readonly embeddingsConstraint?: ConstraintLike;
  /** Index 0 is padding: the output's mask leaves it out. Default false. */
  readonly maskZero?: boolean;
}

/**
 * A vector for each index. Input int32 or int64 `[batch, …]`, output `[batch, …, outputDim]`; weights `embeddings`
 * `[inputDim, outputDim]`.
 */
export function embedding(options: EmbeddingOptions): Layer {
  const shape = [
    requirePositive(options.inputDim, 'embedding: inputDim'),
    requirePositive(options.outputDim, 'embedding: outputDim'),
  ];
  return createLayer({
    kind: 'embedding',
    options,
    inputDType: 'int32',
    mask: options.maskZero === true ? ({ builder }, [x]) => [differsFrom(builder, x as Value, 0)] : 'drop',
    build(context, [x]) {
      const { builder } = context;
      const { dtype } = x as Value;
      const ready = dtype === 'int32' || dtype === 'int64';
      const indices = ready ? x : builder.op('Cast', [x], { to: onnxDataType('int32') });
      const embeddings = context.addWeight({
        name: 'embeddings',
        shape,
        initializer: options.embeddingsInitializer ?? 'randomUniform',
        regularizer: options.embeddingsRegularizer,
        constraint: options.embeddingsConstraint,
      });
      return builder.op('Gather', [embeddings, indices], { axis: 0 });
    },
  });
}
