import { readFile } from 'node:fs/promises';
import { type Model, ModelwrightError } from '@modelwright/core';
import { readOnnx, readOnnxHeader } from '@modelwright/onnx';
import { reasonOf } from '../files/tensor-files.js';

/** What `inspect` tells of the file itself. */
export interface ModelFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly irVersion: number;
  /** Versions by domain; ONNX's own domain is `''`. */
  readonly opsets: { readonly [domain: string]: number };
  /** Name and version of what wrote the file, or `''`. */
  readonly producer: string;
  readonly metadata: { readonly [key: string]: string };
}

/** A model and the file it came from. */
export interface OpenedModel {
  readonly model: Model;
  readonly file: ModelFile;
}

/**
 * Reads a model with the facts of its file.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-model`, `unsupported-version`, …
 */
export async function openModel(path: string): Promise<OpenedModel> {
  const bytes = await readBytes(path);
  const { irVersion, opsets, producerName, producerVersion } = readOnnxHeader(bytes, path);
  const model = readOnnx(bytes, { file: path });
  const producer = `${producerName} ${producerVersion}`.trim();
  return { model, file: { path, sizeBytes: bytes.length, irVersion, opsets, producer, metadata: model.metadata } };
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `cannot read '${path}': ${reasonOf(cause)}`, { file: path, cause });
  }
}
