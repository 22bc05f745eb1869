export { type PadSequencesOptions, padSequences, type SequenceLike } from '@modelwright/core';
export { type ArrayData, type NestedArrays, type NumberArray, toTensor } from './array-data.js';
export { type BucketOptions, bucketByLength } from './bucket-by-length.js';
export { balancedClassWeights, type ClassWeights, weightByClass } from './class-weights.js';
export { type CsvRecord, parseCsv, type TextPieces } from './csv-parser.js';
export { Dataset, type EpochOptions, type ShuffleOptions } from './dataset.js';
export { type ArraysOptions, fromArrays } from './from-arrays.js';
export { type CsvColumn, type CsvOptions, fromCsv } from './from-csv.js';
export { fromAsyncIterable, fromGenerator, type StreamOptions } from './from-generator.js';
export { fromIdx, type IdxOptions, parseIdx } from './idx.js';
export { createRandom, type RandomSource } from './random.js';
export {
  batchSizeOf,
  type FieldLike,
  mapTensors,
  type Sample,
  type SampleLike,
  type TensorField,
  toSample,
} from './sample.js';
export type { DatasetSource } from './source.js';
export { type TimeseriesOptions, timeseriesWindows } from './timeseries-windows.js';
export {
  type RandomTokenBlockOptions,
  randomTokenBlocks,
  type TokenBlockOptions,
  tokenBlocks,
} from './token-blocks.js';
