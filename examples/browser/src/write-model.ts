export { writeOnnx } from '@modelwright/onnx';
