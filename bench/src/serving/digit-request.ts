import { type Network, networks, samplesOf } from '../networks.js';

/** A request for one digit, as a client sends it. */
export interface DigitRequest {
  readonly method: 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export type RequestForm = 'binary' | 'json';

const network = networks['cnn'] as Network;

/** Raw pixels of so many digits. */
export function digits(count: number): Float32Array {
  return samplesOf(network, count).x;
}

/**
 * A request of the Open Inference Protocol: with the tensor in binary, or as numbers in JSON.
 *
 * @param input - Name of the model's input.
 */
export function digitRequest(form: RequestForm, input: string): DigitRequest {
  const pixels = digits(1);
  const tensor = { name: input, shape: [1, ...network.inputShape], datatype: 'FP32' };
  if (form === 'json') {
    const body = JSON.stringify({ inputs: [{ ...tensor, data: [...pixels] }] });
    return { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.from(body) };
  }
  const bytes = new Uint8Array(pixels.buffer);
  const inputs = [{ ...tensor, parameters: { binary_data_size: bytes.byteLength } }];
  const head = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  const body = Buffer.concat([head, bytes]);
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(head.length),
  };
  return { method: 'POST', headers, body };
}
