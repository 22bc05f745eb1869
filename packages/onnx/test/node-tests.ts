import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** One of ONNX's own backend tests. Messages are encoded as in its files. */
export interface NodeTest {
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
  readonly relativeTolerance: number;
  readonly absoluteTolerance: number;
}

interface StoredTest {
  readonly model: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly relativeTolerance: number;
  readonly absoluteTolerance: number;
}

const decode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

export const nodeTests: readonly NodeTest[] = Object.entries(
  JSON.parse(gunzipSync(readFileSync(new URL('../fixtures/node-tests.json.gz', import.meta.url))).toString()) as Record<
    string,
    StoredTest
  >,
).map(([name, { model, inputs, outputs, ...tolerances }]) => ({
  name,
  model: decode(model),
  inputs: inputs.map(decode),
  outputs: outputs.map(decode),
  ...tolerances,
}));
