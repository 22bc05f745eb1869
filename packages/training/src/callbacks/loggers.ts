import type { LogFile } from '../logging/log-file.js';
import type { Callback } from './callback.js';

export interface LoggerOptions {
  /** Go on with a file that is there; resumed training does so by itself. Default false. */
  readonly append?: boolean;
}

/** Writes a CSV line an epoch. Needs a file system. */
export function csvLogger(path: string, options: LoggerOptions = {}): Callback {
  return logger('csvLogger', async (append) => (await import('#files')).csvLog(path, { append }), options);
}

/** Writes a JSON object a line an epoch. Needs a file system. */
export function jsonlLogger(path: string, options: LoggerOptions = {}): Callback {
  return logger('jsonlLogger', async (append) => (await import('#files')).jsonLinesLog(path, { append }), options);
}

function logger(
  name: string,
  open: (append: boolean) => Promise<LogFile>,
  { append = false }: LoggerOptions,
): Callback {
  let file: LogFile | undefined;
  let resumed = append;
  return {
    name,
    async onEpochEnd(epoch, logs) {
      file ??= await open(resumed);
      await file.write({ epoch, ...logs });
    },
    snapshot: () => ({ values: null }),
    restore() {
      resumed = true;
    },
  };
}
