export { type CudaBackendOptions, type CudaEngine, createBackend } from './create-backend.js';
