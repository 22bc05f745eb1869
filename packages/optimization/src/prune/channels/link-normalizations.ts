import {
  fromFront,
  heldNumbers,
  inputOf,
  type LinkRule,
  linkSame,
  outputOf,
  uniteAcrossGroups,
  uniteGroups,
} from './link-context.js';

/** `x [batch, channels, …]` with vectors of one number a channel. */
const linkPerChannel: LinkRule = (node, context) => {
  const { labels } = context;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  x.shape.forEach((_, axis) => {
    labels.linkAxis(x, axis, y);
    if (node.op === 'InstanceNormalization' && axis > 1) labels.pinAxis(x, axis, `${node.op} '${node.name}'`);
  });
  for (const vector of node.inputs.slice(1)) if (vector !== undefined) labels.linkAxis(vector, 0, x, 1);
  labels.scales.push(inputOf(node, 1));
};

/** Statistics go over the axes from `axis` on: of `LayerNormalization` and `RMSNormalization`. */
const linkTrailing: LinkRule = (node, { labels }) => {
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const rank = x.shape.length;
  const first = fromFront((node.attributes['axis'] as number | undefined) ?? -1, rank);
  x.shape.forEach((_, axis) => {
    labels.linkAxis(x, axis, y);
    if (axis >= first) labels.markNormalized(labels.of(x, axis));
  });
  for (const statistic of node.outputs.slice(1))
    for (let axis = 0; axis < first; axis++) labels.linkAxis(x, axis, statistic);
  for (const vector of node.inputs.slice(1)) {
    const offset = rank - (vector?.shape.length ?? 0);
    vector?.shape.forEach((extent, axis) => {
      if (extent === 1 && x.shape[axis + offset] !== 1) labels.pinAxis(vector, axis, `'${vector.name}' is broadcast`);
      else labels.linkAxis(vector, axis, x, axis + offset);
    });
  }
  labels.scales.push(inputOf(node, 1));
  labels.normalizing.push(node);
};

/** Statistics go over runs of channels and space. Runs go as a whole; or, where width may go, each gives as many channels. */
const linkGroupNormalization: LinkRule = (node, context) => {
  const { labels, width } = context;
  linkPerChannel(node, context);
  const x = inputOf(node, 0);
  x.shape.forEach((_, axis) => {
    if (axis > 1) labels.pinAxis(x, axis, `${node.op} '${node.name}'`);
  });
  const groups = node.attributes['num_groups'] as number;
  const channels = labels.of(x, 1);
  if (groups > 1 && (!width || groups >= channels.length / groups)) {
    uniteGroups({ labels, channels, groups });
    labels.groupModes.set(node, 'whole');
    return;
  }
  uniteAcrossGroups({ labels, channels, groups });
  labels.groupModes.set(node, 'each');
  labels.markNormalized(channels);
  labels.normalizing.push(node);
};

/** Ops that look along one axis: softmax and the like. */
const linkAlong: LinkRule = (node, context) => {
  const rank = inputOf(node, 0).shape.length;
  const axis = node.attributes['axis'] as number | undefined;
  linkSame(node, context, [fromFront(axis ?? -1, rank)]);
};

const linkMeanVariance: LinkRule = (node, context) => {
  const rank = inputOf(node, 0).shape.length;
  const axes = (node.attributes['axes'] as readonly number[] | undefined) ?? [0, 2, 3];
  linkSame(
    node,
    context,
    axes.map((axis) => fromFront(axis, rank)),
  );
};

/** Reduced axes have to stay, the others go on. */
export const linkReduction: LinkRule = (node, context) => {
  const { labels } = context;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const rank = x.shape.length;
  const single = node.attributes['axis'] as number | undefined;
  const given = single === undefined ? heldNumbers(context, node.inputs[1]) : [single];
  const isOpen = node.inputs[1] !== undefined && given === undefined;
  const isNothing = (given ?? []).length === 0 && node.attributes['noop_with_empty_axes'] === 1;
  const all = x.shape.map((_, axis) => axis);
  const reduced = isNothing ? [] : isOpen || (given ?? []).length === 0 ? all : (given as number[]);
  const gone = new Set(reduced.map((axis) => fromFront(axis, rank)));
  const keeps = y.shape.length === rank;
  const left = all.filter((axis) => !gone.has(axis));
  for (const axis of gone) labels.pinAxis(x, axis, `${node.op} '${node.name}'`);
  for (const [at, axis] of left.entries()) labels.linkAxis(x, axis, y, keeps ? axis : at);
};

/** Ops that normalize, reduce, or compare along axes. */
export const normalizationRules: { readonly [op: string]: LinkRule } = {
  BatchNormalization: linkPerChannel,
  InstanceNormalization: linkPerChannel,
  LayerNormalization: linkTrailing,
  RMSNormalization: linkTrailing,
  GroupNormalization: linkGroupNormalization,
  Softmax: linkAlong,
  LogSoftmax: linkAlong,
  Hardmax: linkAlong,
  LpNormalization: linkAlong,
  CumSum: (node, context) =>
    linkSame(
      node,
      context,
      inputOf(node, 0).shape.map((_, axis) => axis),
    ),
  LRN: (node, context) => linkSame(node, context, [1]),
  MeanVarianceNormalization: linkMeanVariance,
  ...Object.fromEntries(
    ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare'].map((kind) => [
      `Reduce${kind}`,
      linkReduction,
    ]),
  ),
  ArgMax: linkReduction,
  ArgMin: linkReduction,
};
