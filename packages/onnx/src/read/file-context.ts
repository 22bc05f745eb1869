import { type ErrorDetails, isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { FunctionProto } from '../generated/onnx.generated.js';
import type { ReadLimits } from '../limits.js';
import type { TensorContext } from '../tensor/decode-tensor.js';

/** What all graphs of one file share while they are read. */
export interface FileContext extends TensorContext {
  /** Model-local functions by {@link functionKey}. */
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly budget: Budget;
}

/** Counts what a file makes the reader build, so that little bytes cannot ask for much. */
export class Budget {
  readonly #limits: ReadLimits;
  #nodes = 0;
  #expandedBytes = 0;
  #madeUpCharacters = 0;

  constructor(limits: ReadLimits) {
    this.#limits = limits;
  }

  addNode(): void {
    this.#nodes++;
    if (this.#nodes > this.#limits.maxNodes) throw this.#exceeded('nodes', 'maxNodes');
  }

  addExpandedBytes(bytes: number): void {
    this.#expandedBytes += bytes;
    if (this.#expandedBytes > this.#limits.maxExpandedBytes) throw this.#exceeded('expanded bytes', 'maxExpandedBytes');
  }

  addShape(shape: readonly (number | string)[]): void {
    for (const extent of shape) if (typeof extent === 'string') this.addCharacters(extent.length);
  }

  addCharacters(count: number): void {
    this.#madeUpCharacters += count;
    if (this.#madeUpCharacters > this.#limits.maxMadeUpCharacters) {
      throw this.#exceeded('characters of made-up names', 'maxMadeUpCharacters');
    }
  }

  #exceeded(what: string, limit: keyof ReadLimits): ModelwrightError {
    const allowed = this.#limits[limit];
    return new ModelwrightError(
      'limit-exceeded',
      `the ONNX model needs more than ${allowed} ${what}; the option limits.${limit} raises the bound`,
      { allowed },
    );
  }
}

/** An error about the file's contents. */
export function invalidModel(message: string, details: ErrorDetails = {}): ModelwrightError {
  return new ModelwrightError('invalid-model', message, details);
}

/** Runs `work`; what it throws of ours gains `where` in front of its message. */
export function located<T>(where: string, details: ErrorDetails, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw locate(error, where, details);
  }
}

/** The error with `where` in front of its message. Errors that are not ours are faults of the reader, not of the file: they stay as they are. */
export function locate(error: unknown, where: string, details: ErrorDetails): unknown {
  if (!isModelwrightError(error)) return error;
  // It names the node already.
  const isNamed = details.layer !== undefined && error.details.layer === details.layer;
  if (isNamed || error.message.startsWith(where)) return error;
  return new ModelwrightError(error.code, `${where}: ${error.message}`, { ...details, ...error.details });
}
