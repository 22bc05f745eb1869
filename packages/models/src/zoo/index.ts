export { type LeNet5Options, lenet5 } from './lenet5.js';
export { type MlpOptions, mlp } from './mlp.js';
export { type TextCnnOptions, textCnn } from './text-cnn.js';
export type { ZooOptions } from './zoo-options.js';
