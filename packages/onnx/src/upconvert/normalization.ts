import {
  type Conversion,
  numberAttribute,
  sourceNode,
  type UpConversion,
  withAttribute,
  withoutAttributes,
} from './rule.js';

// Opsets 7 and 8 could keep statistics for each activation instead of each channel.
const spatialBatchNormalization: Conversion = (node, context) => {
  if ((numberAttribute(node, 'spatial', context) ?? 1) !== 1) {
    return context.fail('statistics for each activation (spatial = 0) ended with opset 9');
  }
  return [withoutAttributes(node, 'spatial')];
};

// Until opset 13 a node trained if someone asked for more than its first output; exporters named the others regardless,
// so only those that are read count. The saved mean and deviation have no successor.
const batchNormalizationMode: Conversion = (node, context) => {
  const isTraining = node.outputs.slice(1).some((name) => name !== '' && context.isUsed(name));
  const outputs = node.outputs.slice(0, isTraining ? 3 : 1);
  return [{ ...withAttribute(node, 'training_mode', 'int', isTraining ? 1 : 0), outputs }];
};

// Until opset 20 scale and bias were given for each group; since then for each channel: every value repeats.
const groupNormalizationPerChannel: Conversion = (node, context) => {
  const [input = '', scale = '', bias = ''] = node.inputs;
  const channels = context.typeOf(input).shape[1];
  const groups = numberAttribute(node, 'num_groups', context);
  if (typeof channels !== 'number' || groups === undefined || channels % groups !== 0) {
    return context.fail(`${channels} channels do not fall into ${groups} groups`);
  }
  const [column, target] = [context.integers([groups, 1]), context.integers([groups, channels / groups])];
  const flat = context.integers([channels]);
  const repeated = [scale, bias].map((name) => {
    const [asColumn, spread, result] = [context.fresh('column'), context.fresh('spread'), context.fresh('repeated')];
    const nodes = [
      sourceNode('Reshape', [name, column], asColumn),
      sourceNode('Expand', [asColumn, target], spread),
      sourceNode('Reshape', [spread, flat], result),
    ];
    return { nodes, result };
  });
  return [
    ...repeated.flatMap(({ nodes }) => nodes),
    { ...node, inputs: [input, ...repeated.map(({ result }) => result)] },
  ];
};

/** BatchNormalization and GroupNormalization. */
export const normalization: readonly UpConversion[] = [
  { op: 'BatchNormalization', before: 9, convert: spatialBatchNormalization },
  { op: 'BatchNormalization', before: 14, convert: batchNormalizationMode },
  { op: 'GroupNormalization', before: 21, convert: groupNormalizationPerChannel },
];
