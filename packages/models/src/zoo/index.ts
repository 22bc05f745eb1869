export { type DenseNetOptions, denseNet } from './dense-net.js';
export type { ImageNetworkOptions } from './image-network.js';
export { type InceptionV3Options, inceptionV3 } from './inception-v3.js';
export { type LeNet5Options, lenet5 } from './lenet5.js';
export { type MlpOptions, mlp } from './mlp.js';
export { type MobileNetV2Options, mobileNetV2 } from './mobile-net-v2.js';
export { type ResnetDepth, type ResnetOptions, resnet } from './resnet.js';
export { type TextCnnOptions, textCnn } from './text-cnn.js';
export type { ZooOptions } from './zoo-options.js';
