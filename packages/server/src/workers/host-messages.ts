import { type ErrorCode, isModelwrightError, ModelwrightError, Tensor, type TensorMap } from '@modelwright/core';
import type { DecoderFacts, DecodingPlan } from '../generation/row-decoder.js';
import type { BackendModule } from './backend-module.js';

/** A tensor as it travels between threads and processes. */
export interface PlainTensor {
  readonly dtype: Tensor['dtype'];
  readonly shape: readonly number[];
  readonly data: Tensor['data'];
}

export type PlainTensors = Readonly<Record<string, PlainTensor>>;

/** Tokens for a row that holds so many. */
export interface HeldRow {
  readonly row: number;
  readonly held: number;
  readonly tokens: readonly number[];
}

/** What a host of a model is asked for. */
export type HostRequest =
  /** Opens the backend, ahead of a model. */
  | { readonly kind: 'open'; readonly backend: BackendModule }
  | {
      readonly kind: 'load';
      readonly name: string;
      readonly backend: BackendModule;
      /** A number: so many bytes come on the standard input. */
      readonly bytes: Uint8Array | number;
      /** To be decoded token by token instead of run as a whole. */
      readonly decoding?: DecodingPlan | undefined;
    }
  /** Takes tokens of some rows; `held` is what each holds before. */
  | { readonly kind: 'feed'; readonly rows: readonly HeldRow[] }
  | {
      readonly kind: 'run';
      readonly inputs: PlainTensors;
      readonly outputs: readonly string[] | undefined;
      /** Whether a `cancel` may follow: such runs take a longer way, so that they can be ended. */
      readonly isCancellable: boolean;
    }
  /** Ends the run of that call. */
  | { readonly kind: 'cancel'; readonly run: number }
  | { readonly kind: 'close' };

/** A request with the number that its answer carries. */
export type HostCall = HostRequest & { readonly id: number };

/** What it answers. */
export interface HostAnswer {
  readonly id: number;
  readonly failure?: PlainError;
  readonly outputs?: PlainTensors;
  /** To `load`: runs that make sense at once. */
  readonly concurrency?: number;
  /** To `load` with a plan of decoding. */
  readonly decoder?: DecoderFacts;
}

/** An error as it travels. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly input?: string;
}

/** An error to be sent. */
export function toPlainError(error: unknown): PlainError {
  if (!isModelwrightError(error))
    return { code: 'backend-failure', message: error instanceof Error ? error.message : String(error) };
  const { input } = error.details;
  return { code: error.code, message: error.message, ...(input === undefined ? {} : { input }) };
}

/** An error that came. */
export function fromPlainError({ code, message, input }: PlainError): ModelwrightError {
  return new ModelwrightError(code, message, input === undefined ? {} : { input });
}

/** Tensors to be sent: a view takes only what it shows along, not the whole memory behind it. */
export function toPlain(tensors: TensorMap): PlainTensors {
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]): [string, PlainTensor] => {
    const isView = ArrayBuffer.isView(data) && data.byteLength !== data.buffer.byteLength;
    return [name, { dtype, shape, data: isView ? data.slice() : data }];
  });
  return Object.fromEntries(entries);
}

/** Tensors that came. */
export function fromPlain(tensors: PlainTensors): TensorMap {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [name, new Tensor(dtype, shape, data)]),
  );
}

/** The memory of tensors that may change hands: each once. */
export function memoryOf(tensors: PlainTensors): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(tensors)) if (ArrayBuffer.isView(data)) buffers.add(data.buffer as ArrayBuffer);
  return [...buffers];
}
