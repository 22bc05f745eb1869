export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from './safetensors.js';
