import { type ActivationAttributes, activation } from './activation.js';
import { type AttentionAttributes, attention } from './attention.js';
import { type ComparisonAttributes, comparison } from './comparison.js';
import { type ControlFlowAttributes, controlFlow } from './control-flow.js';
import { type ConvolutionAttributes, convolution } from './convolution.js';
import { type ConvolutionGradientAttributes, convolutionGradient } from './convolution-gradient.js';
import { type CreationAttributes, creation } from './creation.js';
import type { OpFamily } from './definition.js';
import { type ElementwiseAttributes, elementwise } from './elementwise.js';
import { type IndexingAttributes, indexing } from './indexing.js';
import { type LinearAlgebraAttributes, linearAlgebra } from './linear-algebra.js';
import { type LossAttributes, loss } from './loss.js';
import { type ModeAttributes, mode } from './mode.js';
import { type MovementAttributes, movement } from './movement.js';
import { type NormalizationAttributes, normalization } from './normalization.js';
import { type PoolingAttributes, pooling } from './pooling.js';
import { type PoolingGradientAttributes, poolingGradient } from './pooling-gradient.js';
import { type QuantizationAttributes, quantization } from './quantization.js';
import { type RandomAttributes, random } from './random.js';
import { type RecurrentAttributes, recurrent } from './recurrent.js';
import { type ReductionAttributes, reduction } from './reduction.js';
import { type ResizingAttributes, resizing } from './resizing.js';

/** Attributes of every op core defines, by op name. */
export interface OpAttributes
  extends ElementwiseAttributes,
    ActivationAttributes,
    ComparisonAttributes,
    ReductionAttributes,
    LinearAlgebraAttributes,
    ConvolutionAttributes,
    ConvolutionGradientAttributes,
    PoolingAttributes,
    PoolingGradientAttributes,
    NormalizationAttributes,
    AttentionAttributes,
    LossAttributes,
    ModeAttributes,
    MovementAttributes,
    ResizingAttributes,
    IndexingAttributes,
    RandomAttributes,
    CreationAttributes,
    ControlFlowAttributes,
    RecurrentAttributes,
    QuantizationAttributes {}

/** Every definition, by op name. */
export const opDefinitions: OpFamily<OpAttributes> = {
  ...elementwise,
  ...activation,
  ...comparison,
  ...reduction,
  ...linearAlgebra,
  ...convolution,
  ...convolutionGradient,
  ...pooling,
  ...poolingGradient,
  ...normalization,
  ...attention,
  ...loss,
  ...mode,
  ...movement,
  ...resizing,
  ...indexing,
  ...random,
  ...creation,
  ...controlFlow,
  ...recurrent,
  ...quantization,
};
