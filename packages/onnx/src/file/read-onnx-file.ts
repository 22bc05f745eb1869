import { type FileHandle, open, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { type Model, ModelwrightError } from '@modelwright/core';
import type { GraphProto, ModelProto, TensorProto } from '../generated/onnx.generated.js';
import { TensorProto_DataLocation } from '../generated/onnx.generated.js';
import { defaultReadLimits, type ReadLimits } from '../limits.js';
import { decodeModel } from '../protobuf/decode-model.js';
import { locate } from '../read/file-context.js';
import { modelOf, type ReadOptions } from '../read/read-onnx.js';
import { decodeDims, packedBytesOf } from '../tensor/decode-tensor.js';
import { dtypeOfElementType } from '../tensor/element-type.js';
import { type ExternalDataSource, type ExternalReference, externalReferenceOf } from '../tensor/external-data.js';

export type ReadFileOptions = Omit<ReadOptions, 'file' | 'externalData'>;

/**
 * Reads an ONNX model from disk, with the data files beside it. Only those parts of a data file that tensors name are
 * read, and only from the model's own folder: neither `..` nor a symbolic link leads out of it.
 *
 * @throws {@link ModelwrightError} `file-unreadable`, and all that `readOnnx` throws.
 * @example
 * const model = await readOnnxFile('digits.onnx');
 */
export async function readOnnxFile(path: string, options: ReadFileOptions = {}): Promise<Model> {
  const limits = { ...defaultReadLimits, ...options.limits };
  const bytes = await readWhole(path, limits);
  try {
    const proto = decodeModel(bytes, limits);
    return modelOf(proto, await loadExternalData(proto, path, limits), limits, options.inputShapes ?? {});
  } catch (error) {
    throw locate(error, `'${path}'`, { file: path });
  }
}

async function readWhole(path: string, limits: ReadLimits): Promise<Uint8Array> {
  return withFile(path, async (file, sizeBytes) => {
    if (sizeBytes > limits.maxFileBytes) {
      throw new ModelwrightError(
        'limit-exceeded',
        `'${path}' has ${sizeBytes} bytes; limits.maxFileBytes allows ${limits.maxFileBytes}`,
        {
          file: path,
          given: sizeBytes,
          allowed: limits.maxFileBytes,
        },
      );
    }
    return readRange(file, 0, sizeBytes, path);
  });
}

/** Runs `work` on an open regular file; whatever the system refuses becomes `file-unreadable`. */
async function withFile<T>(path: string, work: (file: FileHandle, sizeBytes: number) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const stats = await file.stat();
    // A pipe or device would never end.
    if (!stats.isFile()) throw unreadable(path, 'not a regular file');
    return await work(file, stats.size);
  } catch (cause) {
    if (cause instanceof ModelwrightError) throw cause;
    throw unreadable(path, (cause as Error).message, cause);
  } finally {
    await file?.close();
  }
}

function unreadable(path: string, why: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError('file-unreadable', `'${path}' cannot be read: ${why}`, { file: path, cause });
}

const chunkBytes = 2 ** 30;

async function readRange(
  file: FileHandle,
  offsetBytes: number,
  lengthBytes: number,
  path: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(chunkBytes, lengthBytes - at), offsetBytes + at);
    if (bytesRead === 0)
      throw new ModelwrightError('file-unreadable', `'${path}' became shorter while it was read`, { file: path });
    at += bytesRead;
  }
  return bytes;
}

/** Reads what the tensors of the model name, file by file. */
async function loadExternalData(proto: ModelProto, path: string, limits: ReadLimits): Promise<ExternalDataSource> {
  const references = externalReferences(proto, limits);
  const loaded = new Map<string, Uint8Array>();
  const byFile = new Map<string, ExternalReference[]>();
  for (const reference of references) {
    byFile.set(reference.location, [...(byFile.get(reference.location) ?? []), reference]);
  }
  for (const [location, wanted] of byFile) {
    const target = await insideFolder(dirname(path), location, wanted[0]?.what ?? '');
    await withFile(target, async (file, sizeBytes) => {
      for (const reference of wanted) {
        checkRange(reference, sizeBytes);
        if (loaded.has(keyOf(reference))) continue;
        loaded.set(keyOf(reference), await readRange(file, reference.offsetBytes, reference.lengthBytes, target));
      }
    });
  }
  return (reference) => loaded.get(keyOf(reference)) ?? fail(reference);
}

function keyOf({ location, offsetBytes, lengthBytes }: ExternalReference): string {
  return `${offsetBytes}:${lengthBytes}:${location}`;
}

function fail({ what, location }: ExternalReference): never {
  throw new ModelwrightError('file-unreadable', `${what}: '${location}' was not read`);
}

function checkRange({ what, location, offsetBytes, lengthBytes }: ExternalReference, sizeBytes: number): void {
  if (offsetBytes + lengthBytes <= sizeBytes) return;
  throw new ModelwrightError(
    'invalid-model',
    `${what} wants ${lengthBytes} bytes at offset ${offsetBytes} of '${location}', which has ${sizeBytes}`,
    { file: location },
  );
}

/** The real path of a data file, which has to lie in the model's folder once all links are followed. */
async function insideFolder(folder: string, location: string, what: string): Promise<string> {
  try {
    const [root, target] = await Promise.all([realpath(folder), realpath(join(folder, location))]);
    const inside = relative(root, target);
    if (inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !/^([a-z]:|[/\\])/i.test(inside))
      return target;
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `${what} keeps its data in '${location}', which cannot be read`, {
      file: location,
      cause,
    });
  }
  throw new ModelwrightError(
    'invalid-model',
    `${what} keeps its data at '${location}', outside of the model's folder`,
    {
      file: location,
    },
  );
}

function externalReferences(proto: ModelProto, limits: ReadLimits): readonly ExternalReference[] {
  return [...tensorsOf(proto)]
    .filter((tensor) => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL)
    .map((tensor) => {
      const what = `tensor '${tensor.name}'`;
      const dtype = dtypeOfElementType(tensor.dataType, what);
      if (dtype === 'string') throw new ModelwrightError('invalid-model', `${what} holds strings outside of the file`);
      const count = decodeDims(tensor.dims, what, limits).reduce((product, extent) => product * extent, 1);
      return externalReferenceOf(tensor, packedBytesOf(dtype, count), what);
    });
}

function* tensorsOf(proto: ModelProto): Generator<TensorProto> {
  if (proto.graph !== undefined) yield* tensorsOfGraph(proto.graph);
  for (const { node } of proto.functions) yield* tensorsOfNodes(node);
}

function* tensorsOfGraph(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const { values, indices } of graph.sparseInitializer) {
    if (values !== undefined) yield values;
    if (indices !== undefined) yield indices;
  }
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: GraphProto['node']): Generator<TensorProto> {
  for (const { attribute } of nodes) {
    for (const { t, tensors, g, graphs } of attribute) {
      if (t !== undefined) yield t;
      yield* tensors;
      if (g !== undefined) yield* tensorsOfGraph(g);
      for (const graph of graphs) yield* tensorsOfGraph(graph);
    }
  }
}
