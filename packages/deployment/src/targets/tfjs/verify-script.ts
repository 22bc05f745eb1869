/** `verify.mjs` of a bundle: replays its proof on the TensorFlow.js of whoever has it; nothing of Modelwright is needed. */
export const verifyScript = `// Checks that these files are those that were deployed, and that TensorFlow.js gives their golden answers.
//   npm install @tensorflow/tfjs && node verify.mjs
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';

const read = (path) => readFile(new URL(path, import.meta.url));
const readJson = async (path) => JSON.parse(await read(path));
const manifest = await readJson('manifest.json');
for (const { path, sha256 } of manifest.files) {
  if (createHash('sha256').update(await read(path)).digest('hex') === sha256) continue;
  console.error(\`\${path} is not the file that was deployed\`);
  process.exit(1);
}

const { modelTopology, signature, format, weightsManifest } = await readJson('model.json');
const shards = await Promise.all(weightsManifest.flatMap(({ paths }) => paths).map(read));
const weightData = new Uint8Array(Buffer.concat(shards)).buffer;
const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
const load = async () => ({ modelTopology, signature, format, weightSpecs, weightData });
const model = await tf.loadGraphModel({ load });

const kinds = { float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array };
Object.assign(kinds, { int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array });
const numbers = ({ dtype, base64 }) => Array.from(new kinds[dtype](new Uint8Array(Buffer.from(base64, 'base64')).buffer), Number);
const golden = await readJson(manifest.golden.file);
let worst = 0;
for (const { name, inputs, outputs } of golden.cases) {
  const feeds = {};
  for (const [input, tensor] of Object.entries(inputs)) {
    const dtype = tensor.dtype.startsWith('float') ? 'float32' : tensor.dtype === 'bool' ? 'bool' : 'int32';
    feeds[signature.inputs[input].name] = tf.tensor(numbers(tensor), tensor.shape, dtype);
  }
  const names = Object.keys(outputs);
  const answers = [await model.executeAsync(feeds, names.map((output) => signature.outputs[output].name))].flat();
  for (const [index, output] of names.entries()) {
    const { absolute, relative } = golden.tolerances?.[output] ?? golden.tolerance;
    const given = await answers[index].data();
    numbers(outputs[output]).forEach((expected, at) => {
      const error = Math.abs(given[at] - expected);
      worst = Math.max(worst, error);
      if (error <= absolute + relative * Math.abs(expected) || Object.is(given[at], expected)) return;
      console.error(\`\${name}: '\${output}' is \${given[at]} at \${at}, it should be \${expected}\`);
      process.exit(1);
    });
  }
}
console.log(\`\${golden.cases.length} golden answers on TensorFlow.js \${tf.version_core}, largest error \${worst.toExponential(1)}\`);
`;
