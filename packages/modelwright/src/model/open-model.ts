import { readFile } from 'node:fs/promises';
import { type Model, ModelwrightError } from '@modelwright/core';
import { readOnnxHeader } from '@modelwright/onnx';
import { readOnnxFile } from '@modelwright/onnx/file';
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
  const model = await openGraph(path);
  const bytes = await readFile(path);
  const { irVersion, opsets, producerName, producerVersion } = readOnnxHeader(bytes, path);
  const producer = `${producerName} ${producerVersion}`.trim();
  return { model, file: { path, sizeBytes: bytes.length, irVersion, opsets, producer, metadata: model.metadata } };
}

/** Reads a model where only its graph is wanted. */
export async function openGraph(path: string): Promise<Model> {
  try {
    return await readOnnxFile(path);
  } catch (error) {
    const cause = error instanceof ModelwrightError ? error.details.cause : undefined;
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    throw new ModelwrightError('file-unreadable', `cannot read '${path}': ${reasonOf(cause)}`, { file: path, cause });
  }
}
