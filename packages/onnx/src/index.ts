export { defaultReadLimits, type ReadLimits } from './limits.js';
export { type ForeignNodes, foreignNodesOf } from './read/foreign-nodes.js';
export { type ReadOptions, readableVersions, readOnnx } from './read/read-onnx.js';
export { type OnnxHeader, readOnnxHeader } from './read/read-onnx-header.js';
export { readTensor } from './read/read-tensor.js';
export type { EncodedModel, FileParts } from './write/encode-model.js';
export { encodeOnnx, type OnnxFiles, weightBytesOf, writeOnnx } from './write/write-onnx.js';
export { type ExternalDataOptions, type WriteOptions, writableOpsets } from './write/write-options.js';
