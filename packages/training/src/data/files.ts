import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { unreadable } from '../checkpoint/atomic-file.js';
import type { TextPieces } from './csv-parser.js';
import type { Dataset } from './dataset.js';
import { type CsvOptions, fromCsv } from './from-csv.js';
import { fromIdx, type IdxOptions } from './idx.js';

/**
 * A data set over a CSV file, read as a stream on each pass; `.gz` is unpacked on the way.
 *
 * @throws {@link ModelwrightError} while reading: `file-unreadable` naming the path, `invalid-data` naming the line.
 */
export function fromCsvFile(path: string, options: CsvOptions = {}): Dataset {
  return fromCsv(() => readPieces(path), options);
}

async function* readPieces(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path);
  const pieces = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  // `pipe` does not pass failures on.
  file.on('error', (cause) => pieces.destroy(cause));
  try {
    for await (const piece of pieces as TextPieces as AsyncIterable<Uint8Array>) yield piece;
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    file.destroy();
  }
}

/**
 * A data set of images with labels from two IDX files (MNIST's format), gzipped or plain; see `fromIdx`.
 *
 * @throws {@link ModelwrightError} `file-unreadable` naming the path, `invalid-data` when a file is not IDX.
 */
export async function fromIdxFiles(images: string, labels: string, options: IdxOptions = {}): Promise<Dataset> {
  return fromIdx(await readBytes(images), await readBytes(labels), options);
}

async function readBytes(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
}
