import type { Attributes, AttributeValue, Graph, Node, Value } from './graph/graph.js';
import { isGraph } from './graph/graph.js';
import { formatShape } from './tensor/shape.js';
import { Tensor, toNumbers } from './tensor/tensor.js';

/**
 * A graph as text, one node a line:
 *
 * ```text
 * graph double(x: float32[batch,3]) -> (y) {
 *   y = Add(x, x) : float32[batch,3]
 * }
 * ```
 */
export function print(graph: Graph): string {
  return printGraph(graph, '');
}

function printGraph(graph: Graph, indent: string): string {
  const inner = `${indent}  `;
  const inputs = graph.inputs.map((input) => `${input.name}: ${printType(input)}`).join(', ');
  const outputs = graph.outputs
    .map(({ name, value }) => (name === value.name ? name : `${name} = ${value.name}`))
    .join(', ');
  const constants = [...graph.constants].map(([value, tensor]) => `${inner}${value.name} = ${printTensor(tensor)}`);
  const nodes = graph.nodes.map((node) => `${inner}${printNode(node, inner)}`);
  return [`graph ${graph.name}(${inputs}) -> (${outputs}) {`, ...constants, ...nodes, `${indent}}`].join('\n');
}

function printNode(node: Node, indent: string): string {
  const outputs = node.outputs.map((output) => output.name).join(', ');
  const inputs = node.inputs.map((input) => input?.name ?? '_').join(', ');
  const op = node.domain === '' ? node.op : `${node.domain}:${node.op}`;
  return `${outputs} = ${op}(${inputs})${printAttributes(node.attributes, indent)} : ${node.outputs.map(printType).join(', ')}`;
}

function printAttributes(attributes: Attributes, indent: string): string {
  const entries = Object.entries(attributes).filter(
    (entry): entry is [string, AttributeValue] => entry[1] !== undefined,
  );
  if (entries.length === 0) return '';
  return ` {${entries.map(([name, value]) => `${name}=${printAttribute(value, indent)}`).join(', ')}}`;
}

function printAttribute(value: AttributeValue, indent: string): string {
  if (isGraph(value)) return printGraph(value, indent);
  if (value instanceof Tensor) return printTensor(value);
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'number') return String(value);
  return `[${(value as readonly AttributeValue[]).map((item) => printAttribute(item, indent)).join(', ')}]`;
}

function printType(value: Value): string {
  return `${value.dtype}${formatShape(value.shape)}`;
}

const shownElements = 8;

function printTensor(tensor: Tensor): string {
  const shown = shownValues(tensor);
  const more = tensor.elementCount > shown.length ? ', …' : '';
  return `${tensor.dtype}${formatShape(tensor.shape)} {${shown.join(', ')}${more}}`;
}

function shownValues(tensor: Tensor): readonly string[] {
  const { dtype } = tensor;
  const count = Math.min(shownElements, tensor.elementCount);
  const first = new Tensor(dtype, [count], tensor.data.slice(0, count) as Tensor['data']);
  if (dtype === 'string') return (first.data as string[]).map((text) => JSON.stringify(text));
  if (dtype === 'bool') return Array.from(first.data as Uint8Array, (bit) => String(bit === 1));
  // Half-precision floats are stored as bits; the others are what they show.
  const isHalf = dtype === 'float16' || dtype === 'bfloat16';
  return Array.from(isHalf ? toNumbers(first) : (first.data as ArrayLike<number | bigint>), String);
}
