export { type ReadFileOptions, readOnnxFile } from './file/read-onnx-file.js';
export { type WriteFileOptions, writeOnnxFile } from './file/write-onnx-file.js';
