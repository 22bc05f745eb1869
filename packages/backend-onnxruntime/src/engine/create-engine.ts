import { isModelwrightError } from '@modelwright/core';
import { type BindingEngineOptions, createBindingEngine } from './binding/binding-engine.js';
import type { Engine } from './engine.js';
import { createNativeEngine } from './native/native-engine.js';

/** Which way to the runtime: its C API, the stock JS API, or the first of them that works. */
export type EngineKind = 'auto' | 'native' | 'binding';

/**
 * Opens a way to ONNX Runtime.
 *
 * @throws ModelwrightError `backend-unavailable` saying what to install.
 */
export async function createEngine(kind: EngineKind = 'auto', options: BindingEngineOptions = {}): Promise<Engine> {
  if (kind === 'binding') return createBindingEngine(options);
  try {
    return await createNativeEngine();
  } catch (error) {
    if (kind === 'native' || !isModelwrightError(error, 'backend-unavailable')) throw error;
    return createBindingEngine(options);
  }
}
