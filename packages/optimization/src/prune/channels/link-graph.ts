import {
  capturesOf,
  definitionOf,
  type Graph,
  isUnknownShape,
  type Model,
  type Node,
  subgraphsOf,
  type Value,
} from '@modelwright/core';
import { ChannelLabels } from './channel-labels.js';
import { attentionRules } from './link-attention.js';
import {
  inputOf,
  type LinkContext,
  type LinkRule,
  linkElementwise,
  linkSame,
  outputOf,
  pinNode,
} from './link-context.js';
import { movementRules } from './link-movement.js';
import { normalizationRules } from './link-normalizations.js';
import { productRules } from './link-products.js';
import { linkFolded } from './link-reshaped.js';
import { pinShapeReaders } from './pin-shape-readers.js';

const rules: ReadonlyMap<string, LinkRule> = new Map(
  Object.entries({ ...productRules, ...normalizationRules, ...movementRules, ...attentionRules }),
);

/** Makes the positions of a model's values that belong together go together. */
export function linkGraph(
  model: Pick<Model, 'graph'> & Partial<Model>,
  options: { readonly width: boolean },
): ChannelLabels {
  const { graph } = model;
  const labels = new ChannelLabels();
  const context: LinkContext = { graph, labels, width: options.width, folds: [] };
  for (const input of graph.inputs) labels.pinValue(input, `input '${input.name}'`);
  for (const { name, value } of graph.outputs) labels.pinValue(value, `output '${name}'`);
  for (const { name, value } of model.losses ?? []) labels.pinValue(value, `loss '${name}'`);
  for (const mask of model.outputMasks?.values() ?? []) labels.pinValue(mask, 'an output mask');
  for (const { name, value, next } of model.states ?? [])
    for (const each of [value, next]) labels.pinValue(each, `state '${name}'`);
  for (const node of graph.nodes) ruleOf(node)(node, context);
  pinShapeReaders(context);
  for (const fold of context.folds) linkFolded(labels, fold);
  return labels;
}

function ruleOf(node: Node): LinkRule {
  if (subgraphsOf(node).length > 0) return pinWithCaptures;
  // Axes that nobody can count cannot be followed.
  if ([...node.inputs, ...node.outputs].some((value) => value !== undefined && isUnknownShape(value.shape)))
    return pinNode;
  if (node.op === 'TrainingSwitch') return linkElementwise;
  if (node.op === 'TrackStatistic' || node.op === 'StopGradient') return linkTracked;
  if (node.op === 'Positions') return linkPositions;
  if (node.domain !== '') return pinNode;
  const rule = rules.get(node.op);
  if (rule !== undefined) return rule;
  if (node.op === 'Shape' || node.op === 'Size') return () => undefined;
  return definitionOf(node)?.elementwise ? linkElementwise : pinNode;
}

const pinWithCaptures: LinkRule = (node, context) => {
  pinNode(node, context);
  for (const { graph } of subgraphsOf(node))
    for (const value of capturesOf(graph)) context.labels.pinValue(value, `${node.op} '${node.name}'`);
};

/** Only the extent of the axis that is counted is read. */
const linkPositions: LinkRule = (node, { labels }) => {
  const reason = `${node.op} '${node.name}'`;
  labels.pinAxis(inputOf(node, 0), Number(node.attributes['axis'] ?? 0), reason);
  labels.pinValue(outputOf(node), reason);
};

/** The first input goes on, the others are only looked at. */
const linkTracked: LinkRule = (node, context) => {
  if (outputOf(node).shape.length === inputOf(node, 0).shape.length) linkSame(node, context);
  else pinNode(node, context);
  for (const value of node.inputs.slice(1)) context.labels.pinValue(value, `${node.op} '${node.name}'`);
};

/** The values that a node's inputs lead back to through ops that only move or convert. */
export function heldBehind(graph: Graph): (value: Value) => readonly Value[] {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const passing = new Set([
    'Identity',
    'Transpose',
    'Cast',
    'Reshape',
    'DequantizeLinear',
    'StopGradient',
    'Squeeze',
    'Unsqueeze',
  ]);
  const walk = (value: Value): readonly Value[] => {
    if (graph.constants.has(value)) return [value];
    const node = producers.get(value);
    const [first] = node?.inputs ?? [];
    return node === undefined || first === undefined || !passing.has(node.op) ? [] : walk(first);
  };
  return walk;
}
