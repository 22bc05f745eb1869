import { Buffer } from 'node:buffer';
import { readFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { ModelwrightError, type Tensor, type TensorMap, type ValueType } from '@modelwright/core';
import { tensorFromJson, tensorToJson } from './json-tensors.js';
import { decodeNpy, encodeNpy } from './npy.js';
import { decodeNpz, encodeNpz } from './npz.js';
import { decodePng, encodePng, type PixelOptions } from './png.js';

/** An input or output as a model declares it. */
export type NamedType = ValueType & { readonly name: string };

/** What a file gave: tensors by name, and remarks on how it was read. */
export interface TensorFile {
  readonly tensors: TensorMap;
  readonly notes: readonly string[];
}

/** The kinds of file that hold tensors. */
export const tensorFileExtensions: readonly string[] = ['.npy', '.npz', '.json', '.png'];

/**
 * Reads one file for the inputs of a model.
 *
 * A file for one input (`.npy`, `.png`, a `.json` that is an array) is named after it; one for several (`.npz`, a `.json`
 * that is an object) brings its own names.
 *
 * @param file - Path; `-` reads JSON from standard input.
 * @param inputs - The inputs the file may be for: all of the model's, or the one the user named.
 * @throws {@link ModelwrightError} `file-unreadable`, `invalid-data`, or `invalid-argument` if it is unclear which input
 *   the file is for.
 */
export async function readTensorFile(
  file: string,
  inputs: readonly NamedType[],
  pixels: PixelOptions = {},
): Promise<TensorFile> {
  const extension = file === '-' ? '.json' : extname(file).toLowerCase();
  if (!tensorFileExtensions.includes(extension)) throw unknownExtension(file);
  const bytes = await readBytes(file);
  if (extension === '.npz') return { tensors: renameOnly(decodeNpz(bytes, file), inputs), notes: [] };
  if (extension === '.json') return { tensors: decodeJson(bytes, file, inputs), notes: [] };
  const input = onlyInput(file, inputs);
  if (extension === '.npy') return { tensors: { [input.name]: decodeNpy(bytes, file) }, notes: [] };
  const { tensor, notes } = decodePng(bytes, { file, input, pixels });
  return { tensors: { [input.name]: tensor }, notes };
}

/**
 * Writes tensors in the format of the file's extension: `.npz` and `.json` hold all, `.npy` and `.png` just one.
 *
 * @throws {@link ModelwrightError} `file-unwritable`, or `invalid-argument` if the format cannot hold them.
 */
export async function writeTensorFile(file: string, tensors: TensorMap): Promise<void> {
  const bytes = encodeTensorFile(file, tensors);
  try {
    await writeFile(file, bytes);
  } catch (cause) {
    throw new ModelwrightError('file-unwritable', `cannot write '${file}': ${reasonOf(cause)}`, { file, cause });
  }
}

function encodeTensorFile(file: string, tensors: TensorMap): Uint8Array {
  const extension = extname(file).toLowerCase();
  if (extension === '.npz') return encodeNpz(tensors);
  if (extension === '.json') {
    const values = Object.entries(tensors).map(([name, tensor]) => [name, tensorToJson(tensor)]);
    return new TextEncoder().encode(`${JSON.stringify(Object.fromEntries(values))}\n`);
  }
  if (extension !== '.npy' && extension !== '.png') throw unknownExtension(file);
  const tensor = onlyOutput(file, tensors);
  return extension === '.npy' ? encodeNpy(tensor) : encodePng(tensor, file);
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return file === '-' ? await readStandardInput() : await readFile(file);
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `cannot read '${file}': ${reasonOf(cause)}`, { file, cause });
  }
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function decodeJson(bytes: Uint8Array, file: string, inputs: readonly NamedType[]): TensorMap {
  let values: unknown;
  try {
    values = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `'${file}' is not JSON: ${reasonOf(cause)}`, { file, cause });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    const { name, dtype } = onlyInput(file, inputs);
    return { [name]: tensorFromJson(values, dtype, `input '${name}' in '${file}'`) };
  }
  const entries = Object.entries(values).map(([name, value]): [string, Tensor] => {
    const input = inputs.find((candidate) => candidate.name === name);
    if (input === undefined) throw unknownInput(file, name, inputs);
    return [name, tensorFromJson(value, input.dtype, `input '${name}' in '${file}'`)];
  });
  return Object.fromEntries(entries);
}

/** An archive of one unnamed tensor (`numpy.savez(file, x)` calls it `arr_0`) is for the only input. */
function renameOnly(tensors: TensorMap, inputs: readonly NamedType[]): TensorMap {
  const [only, ...others] = Object.values(tensors);
  const known = Object.keys(tensors).some((name) => inputs.some((input) => input.name === name));
  return only && others.length === 0 && inputs.length === 1 && !known ? { [inputs[0]!.name]: only } : tensors;
}

function onlyInput(file: string, inputs: readonly NamedType[]): NamedType {
  if (inputs.length === 1) return inputs[0]!;
  const names = inputs.map(({ name }) => name);
  throw new ModelwrightError(
    'invalid-argument',
    `'${file}' holds one tensor, the model has the inputs ${names.join(', ')}`,
    {
      file,
      allowed: names,
      hint: `say which: --input ${names[0] ?? 'name'}=${file}`,
    },
  );
}

function onlyOutput(file: string, tensors: TensorMap): Tensor {
  const [only, ...others] = Object.values(tensors);
  if (only && others.length === 0) return only;
  const names = Object.keys(tensors);
  throw new ModelwrightError('invalid-argument', `'${file}' can hold one tensor, the outputs are ${names.join(', ')}`, {
    file,
    allowed: names,
    hint: `say which: --output ${names[0] ?? 'name'}=${file}, or write all into a .npz or .json file`,
  });
}

function unknownInput(file: string, name: string, inputs: readonly NamedType[]): ModelwrightError {
  const allowed = inputs.map((input) => input.name);
  const message = `'${file}' holds '${name}', but the model's inputs are: ${allowed.join(', ')}`;
  return new ModelwrightError('invalid-argument', message, { file, given: name, allowed });
}

function unknownExtension(file: string): ModelwrightError {
  const message = `'${file}' is of no kind known here; known are ${tensorFileExtensions.join(', ')}`;
  return new ModelwrightError('invalid-argument', message, { file, allowed: tensorFileExtensions });
}

/** `no such file or directory`, out of `ENOENT: no such file or directory, open 'x'`. */
export function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return /^E[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? message;
}
