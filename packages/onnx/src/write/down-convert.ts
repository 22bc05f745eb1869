import {
  type AttributeKind,
  type AttributeValue,
  ModelwrightError,
  type Tensor,
  tensor,
  toNumbers,
  type Value,
} from '@modelwright/core';
import type { WrittenAttribute, WrittenNode } from './written-node.js';

/** What a rule may ask and add. */
export interface DownConversionContext {
  readonly opset: number;
  constantOf(value: Value): Tensor | undefined;
  /** Adds a constant to the file. */
  constant(value: Tensor): Value;
}

type Rule = (node: WrittenNode, context: DownConversionContext) => WrittenNode;

interface DownConversion {
  readonly op: string;
  /** First opset that has the canonical form. */
  readonly since: number;
  readonly convert: Rule;
}

/**
 * Gives a node the form it has in an older opset.
 *
 * @throws {@link ModelwrightError} `unsupported-version` naming the node if the older opset cannot say the same.
 */
export function downConvert(node: WrittenNode, context: DownConversionContext): WrittenNode {
  if (node.domain !== '') return node;
  const rules = (rulesByOp.get(node.op) ?? []).filter(({ since }) => context.opset < since);
  return rules.reduce((current, rule) => rule.convert(current, context), node);
}

function refuse(node: WrittenNode, context: DownConversionContext, what: string): never {
  throw new ModelwrightError(
    'unsupported-version',
    `${node.op} '${node.name}' cannot be written in opset ${context.opset}: ${what}`,
    { op: node.op, layer: node.name, given: context.opset, hint: 'choose a newer opset' },
  );
}

function without(node: WrittenNode, ...names: readonly string[]): WrittenNode {
  const kept = Object.entries(node.attributes).filter(([name]) => !names.includes(name));
  return { ...node, attributes: Object.fromEntries(kept) };
}

function withAttribute(node: WrittenNode, name: string, kind: AttributeKind, value: AttributeValue): WrittenNode {
  return { ...node, attributes: { ...node.attributes, [name]: { kind, value } satisfies WrittenAttribute } };
}

function constantNumbers(
  node: WrittenNode,
  index: number,
  context: DownConversionContext,
): readonly number[] | undefined {
  const value = node.inputs[index];
  if (value === undefined) return undefined;
  const held = context.constantOf(value);
  return held === undefined ? refuse(node, context, `input ${index} has to be constant there`) : [...toNumbers(held)];
}

// Until opset 17 the axes of a reduction were an attribute.
const reductionAxes: Rule = (node, context) => {
  const axes = constantNumbers(node, 1, context);
  const { noop_with_empty_axes: noop } = node.attributes;
  if (noop?.value === 1 && (axes === undefined || axes.length === 0)) {
    refuse(node, context, 'reducing over no axes (noop_with_empty_axes)');
  }
  const bare = { ...without(node, 'noop_with_empty_axes'), inputs: node.inputs.slice(0, 1) };
  return axes === undefined || axes.length === 0 ? bare : withAttribute(bare, 'axes', 'ints', axes);
};

// Until opset 17 the number of parts was that of the outputs, and uneven parts had to be listed.
const splitSizes: Rule = (node, context) => {
  const bare = without(node, 'num_outputs');
  const [data, sizes] = node.inputs;
  const axis = Number(node.attributes['axis']?.value ?? 0);
  const extent = data?.shape.at(axis);
  if (sizes !== undefined || data === undefined || node.attributes['num_outputs'] === undefined) return bare;
  if (typeof extent !== 'number') return refuse(node, context, 'the extent that is split has to be known');
  const part = Math.ceil(extent / node.outputs.length);
  const parts = node.outputs.map((_, index) => Math.max(0, Math.min(part, extent - part * index)));
  return { ...bare, inputs: [data, context.constant(tensor(parts, { dtype: 'int64', shape: [parts.length] }))] };
};

// Until opset 17 pads were given for all axes.
const padAxes: Rule = (node, context) => {
  const axes = constantNumbers(node, 3, context);
  const [data, , value] = node.inputs;
  if (axes === undefined || data === undefined) return node;
  const pads = constantNumbers(node, 1, context) ?? refuse(node, context, 'pads are missing');
  const rank = data.shape.length;
  const all = new Array<number>(2 * rank).fill(0);
  axes.forEach((axis, index) => {
    const at = axis < 0 ? axis + rank : axis;
    all[at] = pads[index] ?? 0;
    all[at + rank] = pads[index + axes.length] ?? 0;
  });
  return { ...node, inputs: [data, context.constant(tensor(all, { dtype: 'int64', shape: [2 * rank] })), value] };
};

const padModes: Rule = (node, context) =>
  node.attributes['mode']?.value === 'wrap' ? refuse(node, context, "mode 'wrap' came with opset 19") : node;

const resizeOptions: Rule = (node, context) => {
  for (const name of ['axes', 'antialias', 'keep_aspect_ratio_policy']) {
    if (node.attributes[name] !== undefined) refuse(node, context, `attribute '${name}' came with opset 18`);
  }
  return node;
};

const resizeCoordinates: Rule = (node, context) =>
  node.attributes['coordinate_transformation_mode']?.value === 'half_pixel_symmetric'
    ? refuse(node, context, "'half_pixel_symmetric' came with opset 19")
    : node;

const scatterReductions: Rule = (node, context) => {
  const reduction = node.attributes['reduction']?.value;
  return reduction === 'max' || reduction === 'min'
    ? refuse(node, context, `reduction '${reduction}' came with opset 18`)
    : node;
};

const poolingDilations: Rule = (node, context) => {
  const dilations = node.attributes['dilations']?.value;
  if (Array.isArray(dilations) && dilations.some((step) => step !== 1)) {
    return refuse(node, context, 'dilated average pooling came with opset 19');
  }
  return without(node, 'dilations');
};

const blockQuantization: Rule = (node, context) => {
  for (const name of ['block_size', 'output_dtype']) {
    if (node.attributes[name] !== undefined) refuse(node, context, `attribute '${name}' came with opset 21`);
  }
  return node;
};

const reductions = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'];

const downConversions: readonly DownConversion[] = [
  ...reductions.map((kind) => ({ op: `Reduce${kind}`, since: 18, convert: reductionAxes })),
  { op: 'Split', since: 18, convert: splitSizes },
  { op: 'Pad', since: 18, convert: padAxes },
  { op: 'Pad', since: 19, convert: padModes },
  { op: 'Resize', since: 18, convert: resizeOptions },
  { op: 'Resize', since: 19, convert: resizeCoordinates },
  { op: 'ScatterElements', since: 18, convert: scatterReductions },
  { op: 'ScatterND', since: 18, convert: scatterReductions },
  { op: 'AveragePool', since: 19, convert: poolingDilations },
  { op: 'QuantizeLinear', since: 21, convert: blockQuantization },
  { op: 'DequantizeLinear', since: 21, convert: blockQuantization },
];

const rulesByOp: ReadonlyMap<string, readonly DownConversion[]> = new Map(
  downConversions.map(({ op }) => [op, downConversions.filter((rule) => rule.op === op)]),
);
