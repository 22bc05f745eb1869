import type { DType } from '@modelwright/core';

/** A tensor of ONNX Runtime's JS API, in host memory or in a buffer of the GPU. */
export interface ApiTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly location: string;
  readonly data: ArrayLike<unknown>;
  dispose(): void;
}

/** What the JS API says of an input or output. */
export interface ApiMetadata {
  readonly name: string;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** A session of ONNX Runtime's JS API. */
export interface ApiSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ApiMetadata[];
  readonly outputMetadata: readonly ApiMetadata[];
  run(
    feeds: Readonly<Record<string, ApiTensor>>,
    fetches?: readonly string[],
    options?: { readonly logSeverityLevel: number },
  ): Promise<Readonly<Record<string, ApiTensor>>>;
  release(): Promise<void>;
}

/** The part that `onnxruntime-node` and `onnxruntime-web` have in common. */
export interface JavaScriptApi {
  readonly Tensor: new (type: string, data: ArrayLike<unknown>, dims: readonly number[]) => ApiTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options?: Readonly<Record<string, unknown>>): Promise<ApiSession>;
  };
  readonly env: {
    readonly versions?: { readonly node?: string; readonly web?: string; readonly common?: string };
    readonly wasm?: { numThreads?: number; wasmPaths?: string | object; simd?: boolean; proxy?: boolean };
    logLevel?: string;
  };
}

/** Types that a GPU buffer can hold and that the provider has kernels for. */
export const bufferTypes: ReadonlySet<DType> = new Set(['float32', 'float16', 'int32', 'uint32']);
