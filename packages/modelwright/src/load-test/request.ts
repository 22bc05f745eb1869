import { ModelwrightError, type TensorMap } from '@modelwright/core';
import { datatypeOf, dtypeOfDatatype, toBinary } from '@modelwright/server';
import { randomInputs } from '../model/random-inputs.js';

/** A request that is sent again and again. */
export interface LoadRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Whom to ask, and for what. */
export interface RequestOptions {
  readonly server: string;
  readonly model: string;
  readonly version?: string;
  /** Examples in a request, where the model has a batch axis. */
  readonly batch: number;
  /** Extent of other open axes. */
  readonly extent: number;
  readonly key?: string;
}

interface Metadata {
  readonly inputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly number[] }[];
}

/**
 * Asks a server what a model takes, and lays out a request with random inputs: the Open Inference Protocol with binary tensors.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if the server cannot be reached or does not let the caller in.
 */
export async function prepareRequest(options: RequestOptions): Promise<LoadRequest> {
  const { model, version, key } = options;
  const path = `v2/models/${encodeURIComponent(model)}${version === undefined ? '' : `/versions/${version}`}`;
  const base = new URL(path, options.server.endsWith('/') ? options.server : `${options.server}/`);
  const credential: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const { inputs } = await readMetadata(base, credential);
  const extents = { batch: options.batch, open: options.extent };
  const declared = inputs.map(({ name, datatype, shape }) => ({
    name,
    dtype: dtypeOfDatatype(datatype, name),
    shape: shape.map((extent, axis) => (extent >= 0 ? extent : axis === 0 ? 'batch' : 'open')),
  }));
  const { head, body } = layOut(randomInputs(declared, extents));
  return {
    url: new URL(`${base.pathname}/infer`, base),
    headers: {
      ...credential,
      'content-type': 'application/octet-stream',
      'content-length': String(body.length),
      'inference-header-content-length': String(head),
    },
    body,
  };
}

async function readMetadata(url: URL, headers: Readonly<Record<string, string>>): Promise<Metadata> {
  const response = await fetch(url, { headers }).catch((cause: unknown) => {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new ModelwrightError('invalid-argument', `${url.origin} cannot be reached: ${why}`, { cause });
  });
  if (response.ok) return (await response.json()) as Metadata;
  const text = await response.text();
  throw new ModelwrightError('invalid-argument', `${url} answers ${response.status}: ${text.slice(0, 200)}`, {
    given: response.status,
    ...(response.status === 401 ? { hint: 'pass a key with --key, or in MODELWRIGHT_KEY' } : {}),
  });
}

function layOut(tensors: TensorMap): { readonly head: number; readonly body: Buffer } {
  const parts = Object.entries(tensors).map(([name, tensor]) => ({ name, tensor, bytes: toBinary(tensor) }));
  const inputs = parts.map(({ name, tensor, bytes }) => ({
    name,
    shape: tensor.shape,
    datatype: datatypeOf(tensor.dtype),
    parameters: { binary_data_size: bytes.byteLength },
  }));
  const head = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  return { head: head.length, body: Buffer.concat([head, ...parts.map(({ bytes }) => bytes)]) };
}
