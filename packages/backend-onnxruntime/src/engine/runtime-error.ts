import { type ErrorCode, ModelwrightError } from '@modelwright/core';

/** ONNX Runtime's error codes that say something of the caller's model; the others are failures of the runtime. */
const errorCodes: Readonly<Record<number, ErrorCode>> = {
  2: 'invalid-argument',
  3: 'file-unreadable',
  7: 'invalid-model',
  9: 'unsupported-op',
  10: 'invalid-model',
};

/** Turns a failure that ONNX Runtime reports, by whichever engine, into a typed error. */
export function toRuntimeError(message: string, code?: number): ModelwrightError {
  const terminated = /terminate flag/i.test(message);
  const kind = terminated ? 'aborted' : (errorCodes[code ?? 0] ?? 'backend-failure');
  return new ModelwrightError(kind, `ONNX Runtime: ${message}`);
}
