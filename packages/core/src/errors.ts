/** Every way Modelwright can refuse, as a noun phrase of what is wrong. */
export type ErrorCode =
  | 'shape-mismatch'
  | 'dtype-mismatch'
  | 'invalid-argument'
  | 'invalid-attribute'
  | 'invalid-graph'
  | 'invalid-model'
  | 'invalid-data'
  | 'invalid-configuration'
  | 'unsupported-op'
  | 'unsupported-dtype'
  | 'unsupported-shape'
  | 'unsupported-version'
  | 'not-differentiable'
  | 'backend-unavailable'
  | 'backend-failure'
  | 'resource-disposed'
  | 'limit-exceeded'
  | 'value-out-of-range'
  | 'not-finite'
  | 'file-unreadable'
  | 'file-unwritable'
  | 'checkpoint-mismatch'
  | 'integrity-violation'
  | 'unauthenticated'
  | 'permission-denied'
  | 'rate-limited'
  | 'model-not-found'
  | 'model-unavailable'
  | 'queue-full'
  | 'deadline-exceeded'
  | 'aborted';

/** What the error is about; every field is optional so that each code fills what it knows. */
export interface ErrorDetails {
  /** Path of the user's layer or name of the graph node. */
  readonly layer?: string;
  readonly op?: string;
  readonly file?: string;
  readonly input?: string;
  readonly given?: unknown;
  readonly allowed?: unknown;
  /** The command or change that would help, in one line. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** When it is worth trying again. */
  readonly retryAfterSeconds?: number;
}

/**
 * The hint for packages that are missing: how each package manager installs them.
 *
 * @example
 * installCommands('koffi'); // 'npm install koffi (or pnpm add koffi, or yarn add koffi)'
 */
export function installCommands(...packages: readonly string[]): string {
  const names = packages.join(' ');
  return `npm install ${names} (or pnpm add ${names}, or yarn add ${names})`;
}

const marker: unique symbol = Symbol.for('modelwright.error');

/**
 * The one error type of every Modelwright package.
 *
 * Recognise it with {@link isModelwrightError}, which also works across two installed copies of a package.
 */
export class ModelwrightError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly details: ErrorDetails;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ModelwrightError';
    this.code = code;
    this.details = details;
    Object.defineProperty(this, marker, { value: true });
  }
}

/**
 * Tells whether `error` was raised by Modelwright, and with `code` when one is given.
 *
 * @param error - Anything caught.
 * @param code - Narrow to this code.
 */
export function isModelwrightError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is ModelwrightError<Code> {
  if (typeof error !== 'object' || error === null || !(marker in error)) return false;
  return code === undefined || (error as unknown as ModelwrightError).code === code;
}
