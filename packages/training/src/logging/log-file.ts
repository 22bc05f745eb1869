import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { unreadable, unwritable } from '../checkpoint/atomic-file.js';

/** Values of one line of a log. */
export type LogRecord = { readonly [name: string]: number | string | boolean | null | undefined };

/** A file that grows by a line a record; each line is on the disk's way when `write` is done. */
export interface LogFile {
  readonly path: string;
  write(record: LogRecord): Promise<void>;
}

export interface LogFileOptions {
  /** Go on with a file that is there. Default false: start anew. */
  readonly append?: boolean;
}

/**
 * A log of one JSON object a line; NaN and infinities are written as strings.
 *
 * @throws {@link ModelwrightError} `file-unwritable` naming the path, from `write`.
 */
export function jsonLinesLog(path: string, { append = false }: LogFileOptions = {}): LogFile {
  let started = append;
  return {
    path,
    async write(record) {
      const line = JSON.stringify(record, (_, value: unknown) =>
        typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
      );
      await addText(path, `${line}\n`, started);
      started = true;
    },
  };
}

/**
 * A log as CSV; the first record (or the file's own header, when it goes on) names the columns.
 *
 * @throws {@link ModelwrightError} from `write`: `file-unwritable` naming the path, `invalid-argument` for a column that the
 *   header lacks.
 */
export function csvLog(path: string, { append = false }: LogFileOptions = {}): LogFile {
  let columns: readonly string[] | undefined;
  return {
    path,
    async write(record) {
      const existing = columns === undefined && append ? await readHeader(path) : undefined;
      columns ??= existing;
      const isNew = columns === undefined;
      columns ??= Object.keys(record);
      const held = columns;
      const unknown = Object.keys(record).find((name) => !held.includes(name));
      if (unknown !== undefined) {
        throw new ModelwrightError(
          'invalid-argument',
          `'${path}' has no column '${unknown}'; it has: ${held.join(', ')}`,
          {
            file: path,
            given: unknown,
            allowed: held,
          },
        );
      }
      const header = isNew ? `${held.map(csvField).join(',')}\n` : '';
      await addText(path, `${header}${held.map((name) => csvField(record[name])).join(',')}\n`, !isNew);
    },
  };
}

function csvField(value: LogRecord[string]): string {
  const text = value === null || value === undefined ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function readHeader(path: string): Promise<readonly string[] | undefined> {
  const text = await readFile(path, 'utf8').catch((cause: { code?: string }) => {
    if (cause.code === 'ENOENT') return '';
    throw unreadable(path, cause);
  });
  const line = text.split('\n', 1)[0]?.trim() ?? '';
  return line === '' ? undefined : line.split(',').map((field) => field.replace(/^"|"$/g, '').replaceAll('""', '"'));
}

async function addText(path: string, text: string, append: boolean): Promise<void> {
  try {
    await (append ? appendFile(path, text) : writeFile(path, text));
  } catch (cause) {
    throw isModelwrightError(cause) ? cause : unwritable(path, cause);
  }
}
