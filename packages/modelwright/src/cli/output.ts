import { type ErrorDetails, isModelwrightError } from '@modelwright/core';
import { exitCodeOf } from './exit-codes.js';
import { toJson } from './to-json.js';

/** Options that every command has. */
export interface OutputOptions {
  readonly json?: boolean;
}

/** What a command found: as data for `--json`, and as text for people. */
export interface CommandResult {
  readonly data: unknown;
  readonly text: () => string;
  /** Exit status; default 0. */
  readonly exitCode?: number;
}

/**
 * Runs a command and prints its result: on standard output, as text or as one JSON document. An error goes to standard
 * error as text, or to standard output as `{ "error": … }` under `--json`; either way it sets the exit status.
 */
export async function runCommand(options: OutputOptions, command: () => Promise<CommandResult>): Promise<void> {
  try {
    const result = await command();
    print(options.json ? toJson(result.data) : result.text());
    process.exitCode = result.exitCode ?? 0;
  } catch (error) {
    if (options.json) print(toJson({ error: describeError(error) }));
    else process.stderr.write(`${errorText(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** A remark that is not part of the result: on standard error, so that pipes stay clean. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** `text` in bold where the terminal shows it. */
export function bold(text: string): string {
  return usesColor() ? `\u001b[1m${text}\u001b[22m` : text;
}

/** `text` in grey where the terminal shows it. */
export function dim(text: string): string {
  return usesColor() ? `\u001b[2m${text}\u001b[22m` : text;
}

function usesColor(): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (NO_COLOR) return false;
  return FORCE_COLOR ? FORCE_COLOR !== '0' : process.stdout.isTTY === true;
}

function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

function describeError(error: unknown): { code: string; message: string; details?: object } {
  if (!isModelwrightError(error))
    return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
  const { cause: _cause, ...details } = error.details as ErrorDetails & { cause?: unknown };
  return { code: error.code, message: error.message, details };
}

function errorText(error: unknown): string {
  if (!isModelwrightError(error)) {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `error: this is a bug in Modelwright or in a backend\n${trace}`;
  }
  const { hint } = error.details;
  return `error (${error.code}): ${error.message}${hint ? `\nhint: ${hint}` : ''}`;
}
