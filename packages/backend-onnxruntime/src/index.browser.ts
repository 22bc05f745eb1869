export { createBackend, type OnnxRuntimeBackendOptions } from './browser.js';
export type { SessionOptions } from './engine/engine.js';
export type { EngineName, OnnxRuntimeBackend } from './ort-backend.js';
export type { WebRuntimeOptions } from './web/import-web.js';
