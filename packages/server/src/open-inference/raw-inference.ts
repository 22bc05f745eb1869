import { dtypeFacts, ModelwrightError } from '@modelwright/core';
import type { TensorInfo } from '@modelwright/deployment';
import type { ModelInfo } from '../contract/model-info.js';
import { fromBinary } from './binary-tensor.js';
import type { ParsedInference } from './inference-request.js';

/**
 * A request whose whole body is the model's only input. An open batch axis is 1, one other open axis is as long as the bytes say; the body of
 * a text input is one text. All answers are binary.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if the model has several inputs, or the shape is not to be told from the bytes.
 * @see Triton's extension for binary tensor data, raw binary requests.
 */
export function parseRaw(body: Uint8Array, info: ModelInfo): ParsedInference {
  const [input, ...others] = info.inputs;
  if (input === undefined || others.length > 0) {
    const message = `a raw binary request is for models of one input, '${info.name}' has ${info.inputs.length}`;
    throw new ModelwrightError('invalid-argument', message);
  }
  const { name, dtype } = input;
  const shape = deduceShape(input, info.maxBatchSize > 0, body.byteLength);
  const elementCount = shape.reduce((count, extent) => count * extent, 1);
  const bytes = dtype === 'string' ? withLength(body) : body;
  return {
    inputs: Object.fromEntries([[name, fromBinary(name, dtype, shape, elementCount, bytes)]]),
    outputs: info.outputs.map((output) => ({ name: output.name, isBinary: true })),
    isSelective: false,
  };
}

function deduceShape({ name, dtype, shape }: TensorInfo, hasBatch: boolean, sizeBytes: number): number[] {
  const isOpen = (axis: number): boolean => typeof shape[axis] === 'string' && !(hasBatch && axis === 0);
  const openCount = shape.filter((_, axis) => isOpen(axis)).length;
  const fixed = shape.reduce<number>((count, extent) => count * (typeof extent === 'number' ? extent : 1), 1);
  const bytesPerStep = fixed * dtypeFacts[dtype].bytes;
  if (openCount > 1 || (openCount === 1 && bytesPerStep === 0)) {
    const message = `input '${name}': its shape is not to be told from bytes alone; send it in a JSON header`;
    throw new ModelwrightError('invalid-argument', message, { input: name, allowed: shape });
  }
  const deduced = openCount === 0 ? 1 : Math.floor(sizeBytes / bytesPerStep);
  return shape.map((extent, axis) => (typeof extent === 'number' ? extent : isOpen(axis) ? deduced : 1));
}

/** The body of a raw text is the text alone, without its length before it. */
function withLength(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.byteLength + 4);
  new DataView(bytes.buffer).setUint32(0, body.byteLength, true);
  bytes.set(body, 4);
  return bytes;
}
