export { createTfjsBackend, type TfjsBackend, type TfjsBackendOptions } from './backend.js';
export type { TfjsCore } from './device/tfjs-core.js';
