import { knownLimits } from '../known-limits.js';

const strictShapes =
  'the WebAssembly build takes it for an error that its shape inference, which keeps such windows and axes, differs from the declared shape';

/** What `onnxruntime-web` cannot do: what the CPU provider cannot, and what its stricter shape inference refuses. */
export const webLimits: { readonly [id: string]: string } = {
  ...knownLimits,
  'pooling/MaxPool/2d ceil, a window would start in the end padding': strictShapes,
  'pooling/MaxPool/2d ceil, a window would start in the end padding with indices': strictShapes,
  'pooling/AveragePool/2d ceil, a window would start in the end padding': strictShapes,
  'pooling/AveragePool/2d ceil, a window would start in the end padding, padding counts': strictShapes,
  'pooling/LpPool/2d ceil, a window would start in the end padding': strictShapes,
  'linear-algebra/Einsum/ij,ij->j [1,4][3,4] gradient': strictShapes,
  'pooling/MaxPool/2d ceil, a window would start in the end padding gradient': strictShapes,
  'pooling/AveragePool/2d ceil, a window would start in the end padding gradient': strictShapes,
  'pooling/AveragePool/2d ceil, a window would start in the end padding, padding counts gradient': strictShapes,
  'pooling/LpPool/2d ceil, a window would start in the end padding gradient': strictShapes,
  'pooling/AveragePoolGradient/2d ceil, a window would start in the end padding gradient': strictShapes,
  'pooling/AveragePoolGradient/2d ceil, a window would start in the end padding, padding counts gradient': strictShapes,
};
