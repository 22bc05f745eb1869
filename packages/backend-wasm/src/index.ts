export { createBackend, type WasmBackend, type WasmBackendOptions } from './create-backend.js';
export { describeThreads, type ThreadFacts } from './threads.js';
