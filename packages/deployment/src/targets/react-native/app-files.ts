import type { ManifestDraft } from '../target.js';

/** Opens the bundle on the runtime for React Native; the same code runs on any runtime with that interface. */
export const modelFile: string = `import { Tensor } from '@modelwright/core';
import {
  filesToRun,
  parseGolden,
  processorOf,
  readChecked,
  readManifest,
  readModel,
  readTokenizers,
  replayGolden,
  replayReadings,
} from '@modelwright/deployment';
import * as ort from 'onnxruntime-react-native';

/**
 * Opens the model: every file has to be that of the manifest, and the answers the golden ones.
 *
 * @param source - \`{ name, read(path) }\`, where \`read\` gives the bytes of a file of this folder: see README.md.
 */
export async function openModel(source) {
  const manifest = await readManifest(source);
  const files = new Map();
  for (const path of filesToRun(manifest)) {
    const { bytes, violation } = await readChecked(source, manifest.files.find((file) => file.path === path));
    if (violation) throw violation;
    files.set(path, bytes);
  }
  const model = readModel(source, manifest, files);
  const tokenizers = await readTokenizers(manifest, files);
  const processor = processorOf({ model, processing: manifest.processing, tokenizers });
  const session = await ort.InferenceSession.create(files.get(manifest.model.file));
  const run = async (inputs) => {
    const feeds = Object.entries(inputs).map(([name, { dtype, data, shape }]) => [name, new ort.Tensor(dtype, data, shape)]);
    const outputs = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { type, data, dims }]) => [name, new Tensor(type, [...dims], data)]),
    );
  };
  const golden = parseGolden(files.get(manifest.golden.file), source.name);
  const answers = await replayGolden(golden, run);
  const failed = [...replayReadings(golden, processor), ...answers.results].find(({ passed }) => !passed);
  if (failed) throw new Error(\`'\${manifest.name}' does not answer here as it was deployed: \${failed.reason}\`);
  return {
    manifest,
    run,
    /** Labels for pictures (bytes of PNG or JPEG) or texts. */
    classify: async (examples) => processor.decode(await run(processor.encode(examples))),
  };
}
`;

/** Lets the bundler take models along as they are. */
export const metroFile: string = `const { getDefaultConfig } = require('expo/metro-config');

const config = getDefaultConfig(__dirname);
config.resolver.assetExts.push('onnx');
// Packages of ours have \`exports\`.
config.resolver.unstable_enablePackageExports = true;
module.exports = config;
`;

/** What to know of models in React Native. */
export function readmeFile({ name, model }: ManifestDraft): string {
  return `# ${name} in React Native

Copy this folder into the app, say as \`model/\`, and install

    npx expo install onnxruntime-react-native expo-asset expo-file-system
    npm install @modelwright/core @modelwright/deployment

\`onnxruntime-react-native\` is native code: Expo Go does not have it, a development build (\`npx expo prebuild\`, \`npx expo run:ios\` or
\`run:android\`) does. Its config plugin goes into \`app.json\`: \`"plugins": ["onnxruntime-react-native"]\`. \`metro.config.example.js\` is what
Metro needs so that \`.onnx\` files are assets.

    import { Asset } from 'expo-asset';
    import { File } from 'expo-file-system';
    import { openModel } from './model/open-model.js';
    import golden from './model/assets/golden.json';
    import manifest from './model/manifest.json';

    const text = (value) => new TextEncoder().encode(value);
    const asset = Asset.fromModule(require('./model/${model.file}'));
    const source = {
      name: '${name}',
      read: async (path) => {
        if (path === 'manifest.json') return text(JSON.stringify(manifest, null, 2) + '\\n');
        if (path === 'assets/golden.json') return text(JSON.stringify(golden) + '\\n');
        await asset.downloadAsync();
        return new File(asset.localUri).bytes();
      },
    };
    const { classify } = await openModel(source);
    const [answer] = await classify([await new File(photo.uri).bytes()]);

- \`openModel\` compares hashes and runs the golden inputs before it gives the model away.
- Phones' own accelerators: \`InferenceSession.create(bytes, { executionProviders: ['coreml'] })\` or \`['nnapi']\`. They may compute in half
  precision: deploy with a wider tolerance if the golden answers miss by little.
- The code uses \`TextDecoder\`, \`atob\` and big integers, which Hermes with Expo's runtime has.
`;
}
