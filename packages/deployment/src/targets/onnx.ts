import { writableOpsets, writeOnnx } from '@modelwright/onnx';
import { countOption, flagOption } from './options.js';
import type { BundleFile, Target, TargetBuild, TargetContext } from './target.js';

/** The model as a file for any ONNX runtime, with its proof beside it. */
export const onnxTarget: Target = {
  name: 'onnx',
  description: 'an .onnx file for any ONNX runtime',
  options: {
    opset: `version of ONNX's operators, ${writableOpsets.first} to ${writableOpsets.last} (default ${writableOpsets.default})`,
    'external-data': 'keep the weights in a file of their own, model.onnx.data (default only above 2 GB)',
    bare: 'leave out what only training and generation need: layer names, functions (default false)',
  },
  build: async (context) => rewritten(context),
  nextSteps: (folder, { model }) => [
    `modelwright verify ${folder}`,
    `node -e "require('onnxruntime-node').InferenceSession.create('${folder}/${model.file}').then(s => console.log(s.inputNames, s.outputNames))"`,
  ],
};

/** The common files, with the model written as the options ask. */
function rewritten({ common, manifest, model, options }: TargetContext): readonly BundleFile[] | TargetBuild {
  const opset = countOption(options, 'opset', { least: writableOpsets.first, most: writableOpsets.last });
  const external = flagOption(options, 'external-data');
  const isBare = flagOption(options, 'bare');
  if (opset === undefined && external === undefined && isBare === undefined) return common;
  const isExternal = external ?? manifest.model.externalData !== undefined;
  const { bytes, externalData = {} } = writeOnnx(model, {
    ...(opset === undefined ? {} : { opset }),
    ...(isExternal ? { externalData: { location: `${manifest.model.file}.data` } } : {}),
    ...(isBare === true ? { trainingMetadata: false } : {}),
  });
  const { file, externalData: before = [], ...described } = manifest.model;
  const data = Object.keys(externalData);
  const others = common.filter(({ path }) => path !== file && !before.includes(path));
  return {
    files: [
      { path: file, content: bytes },
      ...Object.entries(externalData).map(([path, content]) => ({ path, content })),
      ...others,
    ],
    manifest: {
      ...manifest,
      model: { file, ...(data.length > 0 ? { externalData: data } : {}), ...described },
    },
  };
}
