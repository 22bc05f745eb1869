import { installCommands, ModelwrightError } from '@modelwright/core';
import type { ElementArray } from '../element-type.js';

/** A tensor of the stock JS API. */
export interface BindingTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ElementArray | readonly string[];
}

/** A session of the stock JS API. */
export interface BindingInferenceSession {
  readonly inputMetadata: readonly BindingMetadata[];
  readonly outputMetadata: readonly BindingMetadata[];
  run(
    feeds: Readonly<Record<string, BindingTensor>>,
    fetches: Readonly<Record<string, BindingTensor | null>>,
  ): Promise<Readonly<Record<string, BindingTensor>>>;
  release(): Promise<void>;
}

/** What the stock API says of an input or output. */
export interface BindingMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** The part of `onnxruntime-node` that the binding engine uses. */
export interface BindingApi {
  readonly Tensor: new (type: string, data: ElementArray | readonly string[], dims: readonly number[]) => BindingTensor;
  readonly InferenceSession: {
    create(model: Uint8Array | string, options?: Readonly<Record<string, unknown>>): Promise<BindingInferenceSession>;
  };
  readonly env: { readonly versions?: { readonly node?: string; readonly common?: string }; logLevel?: string };
}

/**
 * Loads `onnxruntime-node`.
 *
 * @throws ModelwrightError `backend-unavailable` when it is not installed.
 */
export async function importBinding(): Promise<BindingApi> {
  try {
    const loaded = (await import('onnxruntime-node')) as unknown as BindingApi & { readonly default?: BindingApi };
    return loaded.InferenceSession === undefined && loaded.default !== undefined ? loaded.default : loaded;
  } catch (cause) {
    // With Yarn's Plug'n'Play code and text are others.
    const isMissing =
      /MODULE_NOT_FOUND/.test(String((cause as NodeJS.ErrnoException).code)) &&
      /'onnxruntime-node'|tried to access onnxruntime-node/.test(String(cause));
    const why = isMissing ? 'is not installed' : `cannot be loaded: ${(cause as Error).message.split('\n')[0]}`;
    throw new ModelwrightError('backend-unavailable', `onnxruntime-node ${why}`, {
      hint: installCommands('onnxruntime-node'),
      cause,
    });
  }
}
