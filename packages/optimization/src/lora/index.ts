export { activateLora, loraAdapters } from './activate-lora.js';
export { addLora, type LoraOptions } from './add-lora.js';
export { type LoraStepOptions, lora } from './lora.js';
export * from './lora-file.js';
export * from './merge-lora.js';
export { removeLora } from './remove-lora.js';
export type { WeightPattern } from './targets.js';
