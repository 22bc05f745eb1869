import { type ErrorCode, isModelwrightError } from '@modelwright/core';

/** What the command's exit status says; part of its public interface. */
export const exitCodes = {
  success: 0,
  /** The backend failed while running, or Modelwright has a bug. */
  failure: 1,
  /** The command line, the configuration or the values given are wrong. */
  usage: 2,
  /** A file cannot be read or written, or is not what it should be. */
  file: 3,
  /** No backend here can do it. */
  unavailable: 4,
} as const;

const byErrorCode: { readonly [C in ErrorCode]?: number } = {
  'invalid-argument': exitCodes.usage,
  'invalid-configuration': exitCodes.usage,
  'shape-mismatch': exitCodes.usage,
  'dtype-mismatch': exitCodes.usage,
  'value-out-of-range': exitCodes.usage,
  'invalid-data': exitCodes.file,
  'invalid-model': exitCodes.file,
  'invalid-graph': exitCodes.file,
  'invalid-attribute': exitCodes.file,
  'unsupported-version': exitCodes.file,
  'limit-exceeded': exitCodes.file,
  'integrity-violation': exitCodes.file,
  'file-unreadable': exitCodes.file,
  'file-unwritable': exitCodes.file,
  'backend-unavailable': exitCodes.unavailable,
  'unsupported-op': exitCodes.unavailable,
  'unsupported-dtype': exitCodes.unavailable,
  'unsupported-shape': exitCodes.unavailable,
};

/** The exit status for an error. */
export function exitCodeOf(error: unknown): number {
  return (isModelwrightError(error) && byErrorCode[error.code]) || exitCodes.failure;
}
