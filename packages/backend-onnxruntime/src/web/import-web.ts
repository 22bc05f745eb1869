import { installCommands, ModelwrightError } from '@modelwright/core';
import type { JavaScriptApi } from '../resident/javascript-api.js';

/** How `onnxruntime-web` is set up, once for the whole page or process. */
export interface WebRuntimeOptions {
  /** Threads of the WebAssembly runtime; more than one needs a page that is cross-origin isolated. */
  readonly threads?: number;
  /** Folder (with a slash at its end) or files that the runtime's `.wasm` and `.mjs` are loaded from. */
  readonly wasmPaths?: string | { readonly wasm?: string; readonly mjs?: string };
}

/** Loads `onnxruntime-web` by one of its entries and sets it up. */
export async function openWebRuntime(
  load: () => Promise<unknown>,
  { threads, wasmPaths }: WebRuntimeOptions,
): Promise<JavaScriptApi> {
  const api = unwrap(await load().catch(explain));
  const { wasm } = api.env;
  if (wasm !== undefined) {
    if (threads !== undefined) wasm.numThreads = threads;
    if (wasmPaths !== undefined) wasm.wasmPaths = wasmPaths;
  }
  api.env.logLevel = 'fatal';
  return api;
}

function unwrap(loaded: unknown): JavaScriptApi {
  const module = loaded as JavaScriptApi & { readonly default?: JavaScriptApi };
  return module.InferenceSession === undefined && module.default !== undefined ? module.default : module;
}

function explain(cause: unknown): never {
  const message = cause instanceof Error ? (cause.message.split('\n')[0] as string) : String(cause);
  const isMissing =
    /onnxruntime-web/.test(message) &&
    /not found|cannot find|failed to resolve|find package|tried to access/i.test(message);
  const why = isMissing ? 'is not installed' : `cannot be loaded: ${message}`;
  throw new ModelwrightError('backend-unavailable', `onnxruntime-web ${why}`, {
    hint: installCommands('onnxruntime-web'),
    cause,
  });
}
