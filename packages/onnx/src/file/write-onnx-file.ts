import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Graph, type Model, ModelwrightError } from '@modelwright/core';
import type { FileParts } from '../write/encode-model.js';
import { encodeOnnx, weightBytesOf } from '../write/write-onnx.js';
import type { ExternalDataOptions, WriteOptions } from '../write/write-options.js';

export interface WriteFileOptions extends Omit<WriteOptions, 'externalData'> {
  /**
   * Whether large tensors go into a file of their own, by default `<model file>.data` beside the model. Default: only
   * when the model would pass 2 GB.
   */
  readonly externalData?: boolean | Partial<ExternalDataOptions>;
}

/** Weights of more bytes than this leave no room for the graph in a file of 2 GB. */
const mostWeightBytes = 2 ** 31 - 2 ** 26;

/**
 * Writes a model to disk as `writeOnnx` makes it. Each file is written completely under another name and then renamed,
 * so a crash or a full disk leaves the old one.
 *
 * @returns the paths that were written; the model's own first.
 * @throws {@link ModelwrightError} `file-unwritable`, and all that `writeOnnx` throws.
 * @example
 * await writeOnnxFile(model, 'digits.onnx');
 */
export async function writeOnnxFile(
  model: Model | Graph,
  path: string,
  options: WriteFileOptions = {},
): Promise<readonly string[]> {
  const { externalData, ...others } = options;
  const place = placeOf(externalData ?? weightBytesOf(model) > mostWeightBytes, path);
  const encoded = encodeOnnx(model, { ...others, ...(place === undefined ? {} : { externalData: place }) });
  const files = [{ path, parts: encoded.model }];
  if (encoded.externalData !== undefined) {
    files.push({ path: join(dirname(path), encoded.externalData.location), parts: encoded.externalData });
  }
  await replaceFiles(files);
  return files.map((file) => file.path);
}

function placeOf(wanted: boolean | Partial<ExternalDataOptions>, path: string): ExternalDataOptions | undefined {
  if (wanted === false) return undefined;
  return { location: `${basename(path)}.data`, ...(wanted === true ? {} : wanted) };
}

interface NewFile {
  readonly path: string;
  readonly parts: FileParts;
}

/** Writes all files aside, then renames them; the model last, since it refers to its data. */
async function replaceFiles(files: readonly NewFile[]): Promise<void> {
  const written: string[] = [];
  try {
    for (const { path, parts } of files) {
      const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${Date.now().toString(36)}.tmp`);
      written.push(temporary);
      await writeParts(temporary, parts);
    }
    for (let index = files.length - 1; index >= 0; index--) {
      await rename(written[index] as string, (files[index] as NewFile).path);
    }
  } catch (cause) {
    await Promise.allSettled(written.map((temporary) => rm(temporary, { force: true })));
    const path = files[0]?.path ?? '';
    throw new ModelwrightError('file-unwritable', `'${path}' cannot be written: ${(cause as Error).message}`, {
      file: path,
      cause,
    });
  }
}

const chunkBytes = 2 ** 30;

async function writeParts(path: string, { parts }: FileParts): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'wx');
    for (const batch of batches(parts)) {
      // One call for many small parts; the system may write less than asked, so large ones go alone and to the end.
      if (batch.length > 1) await file.writeFile(Buffer.concat(batch));
      else for (const part of batch) await writeFully(file, part);
    }
    await file.sync();
  } finally {
    await file?.close();
  }
}

async function writeFully(file: FileHandle, part: Uint8Array): Promise<void> {
  for (let at = 0; at < part.length; ) {
    const { bytesWritten } = await file.write(part, at, Math.min(chunkBytes, part.length - at));
    at += bytesWritten;
  }
}

const batchBytes = 2 ** 20;

/** Small parts together, large ones alone. */
function* batches(parts: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const part of parts) {
    if (sizeBytes + part.length > batchBytes && batch.length > 0) {
      yield batch;
      [batch, sizeBytes] = [[], 0];
    }
    batch.push(part);
    sizeBytes += part.length;
  }
  if (batch.length > 0) yield batch;
}
