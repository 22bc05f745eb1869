import { ModelwrightError } from '../errors.js';
import { type DType, dtypeFacts, type NumericDType, viewData } from '../tensor/dtype.js';
import { elementCountOf, Tensor, type TensorMap } from '../tensor/tensor.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** Tensors by name, and notes about them. */
export interface SafetensorsContent {
  readonly tensors: TensorMap;
  readonly metadata: { readonly [key: string]: string };
}

const maximumHeaderBytes = 100_000_000;
const metadataKey = '__metadata__';

const typeNames: { readonly [D in DType]?: string } = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
};
const dtypeByName: ReadonlyMap<string, NumericDType> = new Map(
  Object.entries(typeNames).map(([dtype, name]) => [name, dtype as NumericDType]),
);

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * Encodes tensors as a `.safetensors` file: header length (8 bytes, little-endian), JSON header, data without gaps.
 * Wide elements come first, so that every tensor is aligned to its element.
 *
 * @param metadata - Strings kept in the header.
 * @throws {@link ModelwrightError} `unsupported-dtype` for dtypes that the format lacks (string, int4, uint4).
 */
export function encodeSafetensors(tensors: TensorMap, metadata: { readonly [key: string]: string } = {}): Uint8Array {
  const entries = Object.entries(tensors).map(([name, tensor]) => ({ name, tensor, bytes: bytesOf(name, tensor) }));
  entries.sort(
    (a, b) => dtypeFacts[b.tensor.dtype].bytes - dtypeFacts[a.tensor.dtype].bytes || (a.name < b.name ? -1 : 1),
  );
  // A Map keeps names like '0' and '__proto__' as they are.
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set(metadataKey, metadata);
  let offset = 0;
  for (const { name, tensor, bytes } of entries) {
    if (name === metadataKey)
      throw new ModelwrightError('invalid-argument', `a tensor cannot be named '${metadataKey}'`, { given: name });
    const entry: Entry = {
      dtype: typeNames[tensor.dtype] as string,
      shape: tensor.shape,
      data_offsets: [offset, offset + bytes.length],
    };
    header.set(name, entry);
    offset += bytes.length;
  }
  const json = padTo8(encodeUtf8(stringify(header)));
  const file = new Uint8Array(8 + json.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  let at = 8 + json.length;
  for (const { bytes } of entries) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

function bytesOf(name: string, tensor: Tensor): Uint8Array {
  if (typeNames[tensor.dtype] === undefined || Array.isArray(tensor.data)) {
    throw new ModelwrightError(
      'unsupported-dtype',
      `safetensors cannot hold '${name}': it has no dtype ${tensor.dtype}`,
      {
        given: tensor.dtype,
        allowed: Object.keys(typeNames),
      },
    );
  }
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function stringify(header: ReadonlyMap<string, unknown>): string {
  return `{${[...header].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
}

function padTo8(json: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  return padded;
}

/**
 * Decodes a `.safetensors` file. The tensors are copies, independent of `file`.
 *
 * @param name - How errors call the file.
 * @throws {@link ModelwrightError} `invalid-data` for anything but a sound file: a header longer than 100 MB or the file, bad
 *   JSON, names given twice, overlaps, gaps, sizes that do not fit shapes; `unsupported-dtype` for dtypes core lacks.
 */
export function decodeSafetensors(file: Uint8Array, name = 'safetensors data'): SafetensorsContent {
  const fail = (what: string, given?: unknown): never => {
    throw new ModelwrightError('invalid-data', `${name} is not a sound safetensors file: ${what}`, {
      file: name,
      given,
    });
  };
  const { header, start } = readHeader(file, fail);
  const metadata = readMetadata(header.get(metadataKey), fail);
  header.delete(metadataKey);
  const entries = [...header].map(([key, value]) => ({ key, entry: checkEntry(key, value, fail) }));
  checkCoverage(entries, file.length - start, fail);
  const tensors = entries.map(({ key, entry }): [string, Tensor] => {
    const [from, to] = entry.data_offsets;
    // A copy is aligned whatever the header's length was. `slice` would not do: that of a Node Buffer shares its memory.
    const bytes = new Uint8Array(file.subarray(start + from, start + to));
    const dtype = dtypeByName.get(entry.dtype);
    if (dtype === undefined) {
      throw new ModelwrightError('unsupported-dtype', `${name}: tensor '${key}' has the dtype ${entry.dtype}`, {
        file: name,
        given: entry.dtype,
        allowed: [...dtypeByName.keys()],
      });
    }
    return [
      key,
      new Tensor(dtype, entry.shape, viewData(dtype, bytes.buffer, 0, elementCountOf(entry.shape)) as never),
    ];
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}

type Fail = (what: string, given?: unknown) => never;

function readHeader(file: Uint8Array, fail: Fail): { header: Map<string, unknown>; start: number } {
  if (file.length < 8) fail(`${file.length} bytes cannot hold the length of its header`);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  if (length > maximumHeaderBytes)
    fail(`its header is ${length} bytes long, ${maximumHeaderBytes} are allowed`, length);
  if (length > file.length - 8)
    fail(`its header is ${length} bytes long, but the file ends after ${file.length - 8}`, length);
  const bytes = file.subarray(8, 8 + length);
  if (bytes[0] !== 0x7b) fail("its header does not begin with '{'");
  return { header: parseHeader(bytes, fail), start: 8 + length };
}

function parseHeader(bytes: Uint8Array, fail: Fail): Map<string, unknown> {
  const text = decodeUtf8(bytes) ?? fail('its header is not JSON in UTF-8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    fail(`its header is not JSON in UTF-8 (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  const header = new Map(Object.entries(parsed as object));
  for (const twice of repeatedKeys(text)) fail(`'${twice}' is given twice`, twice);
  return header;
}

/** Keys of the outermost object that stand there more than once; JSON.parse keeps the last and says nothing. */
function* repeatedKeys(text: string): Generator<string> {
  const seen = new Set<string>();
  let depth = 0;
  for (const { 0: token } of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      if (seen.has(key)) yield key;
      seen.add(key);
    }
  }
}

function readMetadata(value: unknown, fail: Fail): { readonly [key: string]: string } {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail(`${metadataKey} is not an object`);
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string') fail(`the note '${key}' is not a string`, text);
  return value as { readonly [key: string]: string };
}

function checkEntry(key: string, value: unknown, fail: Fail): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Partial<Entry>;
  const isCount = (extent: unknown): boolean => Number.isSafeInteger(extent) && (extent as number) >= 0;
  if (typeof dtype !== 'string') return fail(`'${key}' has no dtype`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`'${key}' has no valid shape`, shape);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    return fail(`'${key}' has no valid data_offsets`, offsets);
  const [from, to] = offsets as [number, number];
  const known = dtypeByName.get(dtype);
  const expected = known === undefined ? to - from : elementCountOf(shape) * dtypeFacts[known].bytes;
  if (to - from !== expected)
    fail(`'${key}' is ${dtype} [${shape}], which takes ${expected} bytes, but has ${to - from}`, to - from);
  return { dtype, shape, data_offsets: [from, to] };
}

function checkCoverage(entries: readonly { key: string; entry: Entry }[], available: number, fail: Fail): void {
  const ordered = [...entries].sort((a, b) => {
    const [[fromA, toA], [fromB, toB]] = [a.entry.data_offsets, b.entry.data_offsets];
    return fromA - fromB || toA - toB;
  });
  let end = 0;
  for (const { key, entry } of ordered) {
    const [from, to] = entry.data_offsets;
    if (from < end) fail(`'${key}' overlaps the tensor before it`, from);
    if (from > end) fail(`there is a gap of ${from - end} bytes before '${key}'`, from);
    end = to;
  }
  if (end !== available) fail(`its tensors take ${end} bytes, but ${available} follow the header`, available);
}
