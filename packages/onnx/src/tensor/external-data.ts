import { ModelwrightError } from '@modelwright/core';
import type { TensorProto } from '../generated/onnx.generated.js';

/** A stretch of bytes in a file beside the model. */
export interface ExternalReference {
  /** Path relative to the model's folder, with `/` between names; never leaves that folder. */
  readonly location: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** The tensor that wants it, for messages. */
  readonly what: string;
}

/** Gives exactly the bytes of a reference, or throws. */
export type ExternalDataSource = (reference: ExternalReference) => Uint8Array;

/**
 * Reads where a tensor's data lie outside of the model file.
 *
 * @param expectedBytes - What the tensor's shape needs; a declared `length` must be the same.
 * @throws {@link ModelwrightError} `invalid-model` if the entry is incomplete, does not fit the tensor, or names a
 * path that is absolute or climbs out of the model's folder.
 */
export function externalReferenceOf(proto: TensorProto, expectedBytes: number, what: string): ExternalReference {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const offsetBytes = byteCount(entries.get('offset') ?? '0', 'offset', what);
  const lengthBytes = byteCount(entries.get('length') ?? String(expectedBytes), 'length', what);
  if (lengthBytes !== expectedBytes) {
    throw new ModelwrightError(
      'invalid-model',
      `${what} has ${lengthBytes} bytes of external data, but its shape needs ${expectedBytes}`,
      { given: lengthBytes, allowed: expectedBytes },
    );
  }
  return { location: safeLocation(location, what), offsetBytes, lengthBytes, what };
}

function byteCount(text: string, key: string, what: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new ModelwrightError(
    'invalid-model',
    `${what} has the external data ${key} '${text.slice(0, 40)}', which is no byte count`,
  );
}

function safeLocation(location: string, what: string): string {
  const names = location.split(/[/\\]/).filter((name) => name !== '.');
  const isSafe =
    names.length > 0 &&
    location.length <= 4096 &&
    !location.includes('\0') &&
    !/^[a-z]:/i.test(location) &&
    names.every((name) => name !== '..' && name !== '');
  if (isSafe) return names.join('/');
  throw new ModelwrightError(
    'invalid-model',
    `${what} keeps its data at '${location.slice(0, 80)}'; allowed are paths inside the model's own folder`,
    { given: location.slice(0, 4096) },
  );
}

/**
 * A source over files that are in memory already.
 *
 * @param files - Contents by location, as the model names them.
 */
export function externalDataFrom(files: Readonly<Record<string, Uint8Array>>): ExternalDataSource {
  return ({ location, offsetBytes, lengthBytes, what }) => {
    const file = Object.hasOwn(files, location) ? files[location] : undefined;
    if (file === undefined) {
      throw new ModelwrightError('file-unreadable', `${what} keeps its data in '${location}', which was not given`, {
        file: location,
        hint: `pass externalData: { '${location}': bytes }, or read the model with readOnnxFile`,
      });
    }
    if (offsetBytes + lengthBytes > file.length) {
      throw new ModelwrightError(
        'invalid-model',
        `${what} wants ${lengthBytes} bytes at offset ${offsetBytes} of '${location}', which has ${file.length}`,
        { file: location },
      );
    }
    return file.subarray(offsetBytes, offsetBytes + lengthBytes);
  };
}
