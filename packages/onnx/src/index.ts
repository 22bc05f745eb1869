export { defaultReadLimits, type ReadLimits } from './limits.js';
export { type ForeignNodes, foreignNodesOf } from './read/foreign-nodes.js';
export { type ReadOptions, readableVersions, readOnnx } from './read/read-onnx.js';
export { type OnnxHeader, readOnnxHeader } from './read/read-onnx-header.js';
export { readTensor } from './read/read-tensor.js';
