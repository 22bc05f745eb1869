export { createBackend, type OnnxRuntimeBackendOptions } from './backend.js';
export type { EngineKind } from './engine/create-engine.js';
export type { SessionOptions } from './engine/engine.js';
export type { EngineName, OnnxRuntimeBackend } from './ort-backend.js';
