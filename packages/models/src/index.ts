export { type Activation, type ActivationLike, type ActivationName, activationNames } from './activations.js';
export type { Initializer, InitializerContext, InitializerLike, InitializerName } from './initializers/initializer.js';
export type { Random } from './initializers/random.js';
export * from './initializers/standard.js';
export {
  createLayer,
  type InputShape,
  type Layer,
  type LayerBuild,
  type LayerContext,
  type LayerDefinition,
  type LayerInputs,
  type LayerMasks,
  type LayerOptions,
  type LayerState,
  type StateRequest,
  type WeightRequest,
} from './layer.js';
export * from './layers/activation-layers.js';
export {
  type AdditiveAttentionOptions,
  type AttentionOptions,
  additiveAttention,
  attention,
} from './layers/attention/attention.js';
export * from './layers/attention/dot-product-attention.js';
export { type FeedForwardOptions, feedForward } from './layers/attention/feed-forward.js';
export {
  type AttendingOptions,
  type GroupedQueryAttentionOptions,
  groupedQueryAttention,
  type HeadsOptions,
  type MultiHeadAttentionOptions,
  multiHeadAttention,
} from './layers/attention/multi-head-attention.js';
export * from './layers/attention/position-embedding.js';
export * from './layers/attention/reversible-embedding.js';
export type { RotaryOptions } from './layers/attention/rotate.js';
export * from './layers/attention/transformer-block.js';
export {
  type Convolution1dOptions,
  type ConvolutionOptions,
  type ConvolutionWindowOptions,
  conv1d,
  conv2d,
  conv3d,
} from './layers/convolution.js';
export * from './layers/custom.js';
export * from './layers/dense.js';
export * from './layers/depthwise-convolution.js';
export * from './layers/einsum-dense.js';
export * from './layers/embedding.js';
export * from './layers/global-pooling.js';
export type { KernelOptions, ProjectionOptions } from './layers/kernel-options.js';
export { attachMask, type MaskingOptions, masking } from './layers/masking.js';
export * from './layers/merging.js';
export * from './layers/model-layer.js';
export * from './layers/noise.js';
export * from './layers/normalization.js';
export * from './layers/padding.js';
export * from './layers/pooling.js';
export * from './layers/preprocessing.js';
export * from './layers/recurrent/bidirectional.js';
export type {
  CellLayer,
  CellLoop,
  CellMode,
  CellRun,
  CellStep,
  PreparedCell,
  RecurrentCell,
  SingleCell,
  StackedCells,
} from './layers/recurrent/cell.js';
export { type ConvLstmOptions, convLstm1d, convLstm2d, convLstm3d } from './layers/recurrent/conv-lstm.js';
export type { GateOptions } from './layers/recurrent/gate-weights.js';
export * from './layers/recurrent/gru.js';
export * from './layers/recurrent/lstm.js';
export { type RecurrentLayer, recurrentLayer, type SequenceOptions } from './layers/recurrent/recurrent-layer.js';
export * from './layers/recurrent/rnn.js';
export * from './layers/recurrent/simple-rnn.js';
export * from './layers/recurrent/time-distributed.js';
export * from './layers/resampling.js';
export * from './layers/reshaping.js';
export type { DataFormat, Padding } from './layers/spatial.js';
export * from './layers/transposed-convolution.js';
export type { PerAxis, PerSide } from './layers/tuples.js';
export * from './layers-model/index.js';
export {
  type FunctionalModelOptions,
  type InputOptions,
  input,
  model,
  type SymbolicTensors,
} from './model/functional.js';
export { LayeredModel, type WeightOrder } from './model/layered-model.js';
export { type SequentialOptions, sequential } from './model/sequential.js';
export { summarize } from './model/summary.js';
export * from './pretrained/index.js';
export { SymbolicTensor } from './symbolic-tensor.js';
export {
  type ConstraintLike,
  type ConstraintName,
  type ConstraintOptions,
  maxNorm,
  minMaxNorm,
  nonNeg,
  unitNorm,
} from './weights/constraints.js';
export type { KerasLayout } from './weights/keras-layout.js';
export { l1, l1l2, l2, type RegularizerLike, type RegularizerName } from './weights/regularizers.js';
export * from './zoo/index.js';
