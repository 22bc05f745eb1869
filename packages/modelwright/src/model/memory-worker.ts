/**
 * `node memory-worker.js MODEL INPUTS.npz BACKEND`: loads and runs a model and prints by how many bytes the process grew at
 * most. The runtime and the backend are there before: what is counted is the model's.
 */
import { readFile } from 'node:fs/promises';
import { createPredictor, GraphBuilder, Model, tensor } from '@modelwright/core';
import { readOnnxFile } from '@modelwright/onnx/file';
import { loadBackend } from '../backend/load-backend.js';
import { decodeNpz } from '../files/npz.js';

const [modelFile = '', inputsFile = '', name = ''] = process.argv.slice(2);
const runs = 3;

const inputs = decodeNpz(await readFile(inputsFile), inputsFile);
const backend = await loadBackend(name);
const first = await createPredictor(smallModel(), backend);
await first.predict({ x: tensor([1]) });
const before = process.memoryUsage.rss();
const predictor = await createPredictor(await readOnnxFile(modelFile), backend);
for (let run = 0; run < runs; run++) await predictor.predict(inputs);
// In kilobytes.
const peak = process.resourceUsage().maxRSS * 1024;
await backend.dispose();
process.stdout.write(JSON.stringify({ bytes: Math.max(0, peak - before) }));

function smallModel(): Model {
  const builder = new GraphBuilder('small');
  const x = builder.input('x', 'float32', [1]);
  builder.output('y', builder.op('Relu', [x]));
  return new Model({ name: 'small', graph: builder.build(), parameters: [] });
}
