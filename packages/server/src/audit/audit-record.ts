import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import type { Tensor, TensorMap } from '@modelwright/core';
import type { Principal } from '../contract/access.js';
import type { ServerEvent } from '../contract/events.js';

/** What the log says of inputs. */
export interface InputPrivacy {
  /** `hash` (default): SHA-256 of each input, so that a later dispute can be settled by who has the input; `omit`: nothing. */
  readonly inputs?: 'hash' | 'omit';
  /** With it, HMAC-SHA256: inputs that could be guessed (a yes or no, an age) cannot be found by trying without this key. */
  readonly inputKey?: Uint8Array;
}

type Content = { readonly kind: string; readonly [field: string]: unknown };

/** What the log keeps of an event; nothing of executions, which are nobody's in particular. */
export function auditRecordOf(event: ServerEvent, privacy: InputPrivacy): Content | undefined {
  switch (event.kind) {
    case 'execution':
      return undefined;
    case 'inference': {
      const { inputs, timing: _timing, totalNanoseconds, firstTokenNanoseconds: _first, principal, ...rest } = event;
      return {
        ...rest,
        principal: identityOf(principal),
        milliseconds: Math.round(totalNanoseconds / 1e3) / 1e3,
        ...(inputs === undefined || privacy.inputs === 'omit' ? {} : { inputs: describeInputs(inputs, privacy) }),
      };
    }
    case 'refused': {
      const { principal, model, ...rest } = event;
      // The name is whatever somebody sent.
      return {
        ...rest,
        model: model.slice(0, 256),
        ...(principal === undefined ? {} : { principal: identityOf(principal) }),
      };
    }
    case 'model-state': {
      const { principal, ...rest } = event;
      return { ...rest, ...(principal === undefined ? {} : { principal: identityOf(principal) }) };
    }
  }
}

function identityOf({ id, kind, roles }: Principal): object {
  return { id, kind, roles };
}

function describeInputs(inputs: TensorMap, { inputKey }: InputPrivacy): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => {
      const hash = inputKey === undefined ? createHash('sha256') : createHmac('sha256', inputKey);
      const digest = update(hash, tensor).digest('hex');
      const { dtype, shape } = tensor;
      return [name, { dtype, shape, [inputKey === undefined ? 'sha256' : 'hmacSha256']: digest }];
    }),
  );
}

/** Elements as they lie in memory (little-endian, row by row); texts as a JSON list. */
function update(hash: Hash | Hmac, { data }: Tensor): Hash | Hmac {
  if (Array.isArray(data)) return hash.update(JSON.stringify(data));
  const { buffer, byteOffset, byteLength } = data as ArrayBufferView;
  return hash.update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
}
