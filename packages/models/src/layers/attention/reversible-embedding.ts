import { isFloat, onnxDataType, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext } from '../../layer.js';
import type { SymbolicTensor } from '../../symbolic-tensor.js';
import type { EmbeddingOptions } from '../embedding.js';
import { differsFrom } from '../masking.js';
import { requirePositive } from '../tuples.js';

export interface ReversibleEmbeddingOptions extends EmbeddingOptions {
  /** Use one matrix both ways. Default true. */
  readonly tieWeights?: boolean;
  /** Scores become `cap·tanh(score/cap)`. */
  readonly logitSoftCap?: number;
}

/** An embedding that also goes the other way. */
export interface ReversibleEmbedding extends Layer {
  /** Scores of all indices for vectors: `[batch, …, outputDim]` to `[batch, …, inputDim]`. */
  reverse(vectors: SymbolicTensor): SymbolicTensor;
}

/**
 * An embedding whose matrix also gives scores of all indices: `logits = x · embeddingsᵀ`.
 *
 * Indices `[batch, …]` become vectors `[batch, …, outputDim]`, and through `reverse` vectors become scores `[batch, …,
 * inputDim]`. Weights `embeddings` `[inputDim, outputDim]`, and, untied, `reverseEmbeddings` `[outputDim, inputDim]`.
 *
 * @see Press and Wolf, arXiv:1608.05859.
 * @example
 * const tokens = reversibleEmbedding({ inputDim: 65, outputDim: 128 });
 * const logits = tokens.reverse(transformerDecoder({ numHeads: 4, intermediateDim: 512 })(tokens(ids)));
 */
export function reversibleEmbedding(options: ReversibleEmbeddingOptions): ReversibleEmbedding {
  const shape = [
    requirePositive(options.inputDim, 'reversibleEmbedding: inputDim'),
    requirePositive(options.outputDim, 'reversibleEmbedding: outputDim'),
  ] as const;
  const embeddingsOf = (context: LayerContext): Value =>
    context.addWeight({
      name: 'embeddings',
      shape,
      initializer: options.embeddingsInitializer ?? 'randomUniform',
      regularizer: options.embeddingsRegularizer,
      constraint: options.embeddingsConstraint,
    });
  const layer = createLayer({
    kind: 'reversibleEmbedding',
    options,
    inputDType: 'int32',
    mask: (context, [x]) => {
      if (isFloat((x as Value).dtype)) return [context.masks[0]];
      return options.maskZero === true ? [differsFrom(context.builder, x as Value, 0)] : [];
    },
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      const embeddings = embeddingsOf(context);
      if (!isFloat(input.dtype)) return builder.op('Gather', [embeddings, asIndices(context, input)], { axis: 0 });
      const matrix =
        options.tieWeights === false
          ? context.addWeight({
              name: 'reverseEmbeddings',
              shape: [shape[1], shape[0]],
              initializer: options.embeddingsInitializer ?? 'randomUniform',
            })
          : builder.op('Transpose', [embeddings], { perm: [1, 0] });
      return capped(context, builder.op('MatMul', [input, matrix]), options.logitSoftCap);
    },
  });
  return Object.assign(layer, { reverse: (vectors: SymbolicTensor) => layer(vectors) });
}

function asIndices({ builder }: LayerContext, x: Value): Value {
  return x.dtype === 'int32' || x.dtype === 'int64' ? x : builder.op('Cast', [x], { to: onnxDataType('int32') });
}

function capped({ builder }: LayerContext, scores: Value, cap: number | undefined): Value {
  if (cap === undefined) return scores;
  const number = builder.scalar(cap, scores.dtype);
  return builder.op('Mul', [builder.op('Tanh', [builder.op('Div', [scores, number])]), number]);
}
