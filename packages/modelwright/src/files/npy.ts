import { allocateData, type DType, elementCountOf, ModelwrightError, Tensor, toNumbers } from '@modelwright/core';

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const maximumHeaderBytes = 1 << 20;

const dtypeOfCode: { readonly [code: string]: DType } = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

interface NpyHeader {
  readonly littleEndian: boolean;
  readonly code: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  readonly dataOffset: number;
}

/**
 * Reads a NumPy `.npy` file: any numeric or bool dtype in either byte order, C or Fortran order, and fixed-width text.
 *
 * @param bytes - The whole file.
 * @param file - Its name, for error messages.
 * @throws {@link ModelwrightError} `invalid-data` for anything that is not such a file, truncated ones included.
 * @see NEP 1, https://numpy.org/neps/nep-0001-npy-format.html
 */
export function decodeNpy(bytes: Uint8Array, file: string): Tensor {
  const header = readHeader(bytes, file);
  const read = header.code.startsWith('U') ? readText : readElements;
  const tensor = read(bytes.subarray(header.dataOffset), header, file);
  return header.fortranOrder ? toRowMajor(tensor) : tensor;
}

/**
 * Writes a tensor as a `.npy` file (version 1.0, little-endian, C order).
 *
 * NumPy has no bfloat16 and no 4-bit types: the first becomes float32, the second int8 or uint8, with equal values.
 */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const { code, body } = encodeBody(tensor);
  const shape = tensor.shape.length === 1 ? `${tensor.shape[0]},` : tensor.shape.join(', ');
  const text = `{'descr': '${code}', 'fortran_order': False, 'shape': (${shape}), }`;
  // Magic, version, length and text are a multiple of 64 long, so that the data can be mapped aligned.
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const file = new Uint8Array(10 + padded.length + body.length);
  file.set([...magic, 1, 0, padded.length & 255, padded.length >> 8]);
  file.set(new TextEncoder().encode(padded), 10);
  file.set(body, 10 + padded.length);
  return file;
}

function readHeader(bytes: Uint8Array, file: string): NpyHeader {
  if (bytes.length < 10 || magic.some((byte, index) => bytes[index] !== byte)) fail(file, 'it does not start as one');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  if (wide && bytes.length < 12) fail(file, 'its header is cut off');
  const start = wide ? 12 : 10;
  const lengthBytes = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  if (lengthBytes > maximumHeaderBytes || start + lengthBytes > bytes.length) fail(file, 'its header is cut off');
  const text = new TextDecoder().decode(bytes.subarray(start, start + lengthBytes));
  const description = /'descr':\s*'([<>|=])([a-zA-Z]\d+)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(text);
  if (!order || !shape) fail(file, `its header cannot be read: ${text.trim().slice(0, 80)}`);
  if (!description) fail(file, `its dtype is not a plain number type: ${text.trim().slice(0, 80)}`);
  return {
    littleEndian: description[1] !== '>',
    code: description[2]!,
    fortranOrder: order[1] === 'True',
    shape: (shape[1]!.match(/\d+/g) ?? []).map(Number),
    dataOffset: start + lengthBytes,
  };
}

function readElements(bytes: Uint8Array, { code, littleEndian, shape }: NpyHeader, file: string): Tensor {
  const dtype = dtypeOfCode[code];
  if (dtype === undefined) fail(file, `NumPy dtype '${code}' has no counterpart here`);
  const elementBytes = Number(code.slice(1));
  const count = checkedCount(bytes, shape, elementBytes, file);
  const copy = bytes.slice(0, count * elementBytes);
  if (!littleEndian && elementBytes > 1) {
    for (let at = 0; at < copy.length; at += elementBytes) copy.subarray(at, at + elementBytes).reverse();
  }
  const data = allocateData(dtype, count) as Uint8Array;
  new Uint8Array(data.buffer).set(copy);
  return new Tensor(dtype, shape, data as never);
}

/** NumPy's `<U…`: UTF-32 padded with zeros to one width. */
function readText(bytes: Uint8Array, { code, littleEndian, shape }: NpyHeader, file: string): Tensor {
  const width = Number(code.slice(1));
  const count = checkedCount(bytes, shape, width * 4, file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts = Array.from({ length: count }, (_, index) => {
    let text = '';
    for (let at = 0; at < width; at++) {
      const point = view.getUint32((index * width + at) * 4, littleEndian);
      if (point > 0x10ffff) fail(file, `it holds ${point}, which is no character`);
      if (point !== 0) text += String.fromCodePoint(point);
    }
    return text;
  });
  return new Tensor('string', shape, texts);
}

function checkedCount(bytes: Uint8Array, shape: readonly number[], elementBytes: number, file: string): number {
  const count = elementCountOf(shape);
  if (count * elementBytes <= bytes.length) return count;
  return fail(file, `shape [${shape}] needs ${count * elementBytes} bytes of data, it has ${bytes.length}`);
}

function toRowMajor(tensor: Tensor): Tensor {
  const { shape, dtype } = tensor;
  const data = allocateData(dtype, tensor.elementCount) as unknown[];
  const index = new Array<number>(shape.length).fill(0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, extent) => product * extent, 1));
  for (let at = 0; at < data.length; at++) {
    data[at] = tensor.data[index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0)];
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return new Tensor(dtype, shape, data as never);
}

function encodeBody(tensor: Tensor): { readonly code: string; readonly body: Uint8Array } {
  const { dtype, data } = tensor;
  if (dtype === 'string') return encodeText(data as string[]);
  if (dtype === 'bfloat16') return { code: '<f4', body: bytesOf(Float32Array.from(toNumbers(tensor))) };
  const stored = dtype === 'int4' ? 'int8' : dtype === 'uint4' ? 'uint8' : dtype;
  const [code] = Object.entries(dtypeOfCode).find(([, candidate]) => candidate === stored)!;
  return { code: `${code.endsWith('1') ? '|' : '<'}${code}`, body: bytesOf(data as Uint8Array) };
}

function encodeText(texts: readonly string[]): { readonly code: string; readonly body: Uint8Array } {
  const points = texts.map((text) => Array.from(text, (character) => character.codePointAt(0)!));
  const width = Math.max(1, ...points.map((line) => line.length));
  const body = new Uint32Array(texts.length * width);
  points.forEach((line, index) => {
    body.set(line, index * width);
  });
  return { code: `<U${width}`, body: bytesOf(body) };
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function fail(file: string, why: string): never {
  throw new ModelwrightError('invalid-data', `'${file}' is not a readable .npy file: ${why}`, { file });
}
