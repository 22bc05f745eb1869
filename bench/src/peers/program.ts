/** The training program of Modelwright driven by hand: no data set, no metrics, no trainer. What `fit` adds is the rest. */
import { createBackend } from '@modelwright/backend-onnxruntime';
import { Tensor } from '@modelwright/core';
import { toLoss, toOptimizer, trainingProgram } from '@modelwright/training';
import { readRequest, report, timeRuns } from '../measurement.js';
import { buildModel, inputTensor, networks, samplesOf } from '../networks.js';

const request = readRequest();
const network = networks[request.network];
if (network === undefined) throw new TypeError(`no network '${request.network}'`);
const { batchSize } = network;
const model = buildModel(network);
const output = model.graph.outputs[0]?.name ?? '';
const input = model.graph.inputs[0]?.name ?? '';
const recipe = {
  model,
  objectives: [{ output, loss: toLoss('sparseCategoricalCrossentropy'), weight: 1, metrics: [], prefix: '' }],
  optimizer: toOptimizer('adam'),
  extensions: [],
  seed: 1,
};
const shape = [batchSize, ...network.inputShape];
const program = trainingProgram(
  recipe,
  {
    inputs: { [input]: { dtype: network.vocabulary === undefined ? 'float32' : 'int32', shape } },
    targets: { [output]: { dtype: 'int32', shape: [batchSize] } },
    sampleWeights: {},
  },
  'update',
);
const backend = await createBackend();
const executable = await backend.compile(program);
const { x, y } = samplesOf(network, batchSize);
const feeds = {
  [`inputs.${input}`]: inputTensor(network, x, batchSize),
  [`targets.${output}`]: new Tensor('int32', [batchSize], y),
  learningRate: new Tensor('float64', [], new Float64Array([1e-3])),
};
report({ milliseconds: await timeRuns(request.steps, () => executable.run(feeds)), notes: { engine: backend.engine } });
await backend.dispose();
