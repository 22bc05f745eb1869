// Two packages have a `zeros`: the tensor keeps the name, the initializer (usually given by its name, 'zeros') does not.
export * from '@modelwright/core';
export { zeros } from '@modelwright/core';
export * from '@modelwright/deployment';
export * from '@modelwright/deployment/node';
export * from '@modelwright/models';
export { zeros as zerosInitializer } from '@modelwright/models';
export * from '@modelwright/onnx';
export * from '@modelwright/onnx/file';
// Its `fineTune` takes a function that trains; the one given out here also takes data and options.
export * from '@modelwright/optimization';
export * from '@modelwright/text';
export * from '@modelwright/training';
export * from '@modelwright/training/node';
export type { BackendConfiguration } from './backend/backend-configuration.js';
export { type Configuration, defineConfig } from './backend/configuration-file.js';
export { includedBackends, loadBackend } from './backend/load-backend.js';
export { readLayersModelFile, readLayersModelWeightsFile } from './files/layers-model-file.js';
export { type LoadModelOptions, loadModel, saveModel } from './load-model.js';
export { type FineTuneOptions, fineTune } from './optimization/fine-tune.js';
