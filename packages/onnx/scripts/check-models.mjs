// Reads every .onnx file of a folder, rewrites it, and compares original, rewritten file (both on ONNX Runtime) and the
// reference evaluator on random inputs. Needs the built packages: node scripts/check-models.mjs FOLDER [--evaluate]
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend, fromNumbers, isForeign, verify } from '@modelwright/core';
import { foreignNodesOf, readOnnx, writeOnnx } from '@modelwright/onnx';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';

const [folder, flag] = process.argv.slice(2);
if (folder === undefined) throw new Error('give a folder');

/** Extents that are open become these: enough for most models, small enough for the evaluator. */
const openExtents = { default: 1, image: 64 };

function shapeOf({ shape }) {
  return shape.map((extent, axis) => {
    if (typeof extent === 'number') return extent;
    return shape.length === 4 && axis > 1 ? openExtents.image : openExtents.default;
  });
}

function inputFor(input, seed) {
  const shape = shapeOf(input);
  const count = shape.reduce((product, extent) => product * extent, 1);
  const numbers = Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898 + seed) * 0.5);
  return fromNumbers(input.dtype, shape, numbers);
}

async function run(bytes, inputs) {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]) => [
    name,
    new RuntimeTensor(dtype, data, shape),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return results;
}

function largestDifference(given, wanted) {
  let largest = 0;
  for (const [name, { data }] of Object.entries(wanted)) {
    data.forEach((target, index) => {
      largest = Math.max(
        largest,
        Math.abs(Number(given[name].data[index]) - Number(target)) / (1 + Math.abs(Number(target))),
      );
    });
  }
  return largest.toExponential(1);
}

async function check(file) {
  const bytes = new Uint8Array(readFileSync(join(folder, file)));
  const { graph, parameterCount } = readOnnx(bytes);
  verify(graph);
  const inputs = Object.fromEntries(graph.inputs.map((input, index) => [input.name, inputFor(input, index)]));
  const wanted = await run(bytes, inputs);
  const parts = [`${graph.nodes.length} nodes`, `${parameterCount} weights`];
  parts.push(`rewritten ${largestDifference(await run(writeOnnx(graph).bytes, inputs), wanted)}`);
  const foreign = foreignNodesOf(graph);
  if (foreign.length > 0) parts.push(`unknown: ${foreign.map(({ op }) => op).join(', ')}`);
  else if (flag === '--evaluate' && !graph.nodes.some(isForeign)) {
    const executable = await createReferenceBackend().compile({ graph, state: [] });
    parts.push(`evaluated ${largestDifference(await executable.run(inputs), wanted)}`);
  }
  return parts.join(', ');
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.onnx'))) {
  const outcome = await check(file).catch((error) => `FAILED: ${error.message}`);
  console.log(`${file}: ${outcome}`);
}
