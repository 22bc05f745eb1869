import { concreteShape, type Graph, isConcrete, type Node, type OpAttributes } from '@modelwright/core';

/** Multiplications and additions that a thread does in about 5 µs: less than it takes to hand work to another one and wait for it. */
const smallStep = 2 ** 19;

/** What may stand around a loop for each of its steps: all that several threads gain there they lose within. */
const aroundStep = 3 * 2 ** 20;

/**
 * How many threads a graph should run with: one where its time goes into loops of small steps, which several threads only slow down
 * (measured, training steps over 100 steps of 32 rows: `simpleRnn(64)` takes a third of the processor time with one, and less time in
 * all; `lstm(64)`, four times as large a step, is a tenth faster with two).
 *
 * @returns `undefined` where the runtime's default, one a core, is right.
 */
export function threadCountFor(graph: Graph): 1 | undefined {
  const loops = graph.nodes.filter(isScan);
  if (loops.length === 0) return undefined;
  const isSmall = loops.every((node) => workOf(bodyOf(node)) <= smallStep);
  const steps = loops.reduce((sum, node) => sum + stepsOf(node), 0);
  return isSmall && workOf(graph) <= steps * aroundStep ? 1 : undefined;
}

const isScan = ({ op, domain }: Node): boolean => op === 'Scan' && domain === '';
const bodyOf = ({ attributes }: Node): Graph => (attributes as unknown as OpAttributes['Scan']).body;

/** Number of steps; 0 where it is open. */
function stepsOf({ attributes, inputs }: Node): number {
  const { num_scan_inputs: count, scan_input_axes: axes } = attributes as unknown as OpAttributes['Scan'];
  const shape = inputs[inputs.length - count]?.shape ?? [];
  const steps = shape.at(axes?.[0] ?? 0);
  return typeof steps === 'number' ? steps : 0;
}

/** Multiplications and additions of a graph's own products; anything heavier than products counts as endless. */
function workOf({ nodes }: Graph): number {
  return nodes.reduce((sum, node) => sum + workOfNode(node), 0);
}

const heavyOps: ReadonlySet<string> = new Set([
  'Conv',
  'ConvTranspose',
  'Einsum',
  'Attention',
  'RNN',
  'GRU',
  'LSTM',
  'Loop',
]);

function workOfNode({ op, domain, inputs, outputs, attributes }: Node): number {
  if (heavyOps.has(op)) return Number.POSITIVE_INFINITY;
  const [a] = inputs;
  const [y] = outputs;
  if (domain !== '' || (op !== 'MatMul' && op !== 'Gemm') || a === undefined || y === undefined) return 0;
  if (!isConcrete(a.shape) || !isConcrete(y.shape)) return Number.POSITIVE_INFINITY;
  const inner = concreteShape(a.shape, a.name).at(attributes['transA'] === 1 ? -2 : -1) ?? 1;
  return 2 * inner * concreteShape(y.shape, y.name).reduce((product, extent) => product * extent, 1);
}
