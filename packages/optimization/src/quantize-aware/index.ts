export { type ExportOptions, exportQuantized } from './export-quantized.js';
export type { QuantizationAwareOptions } from './options.js';
export { quantizationAware } from './quantization-aware.js';
export { type QuantizeWhileTrainingOptions, quantizeWhileTraining } from './quantize-while-training.js';
