import { concreteShape, type Graph, isConcrete, type Node, type OpAttributes } from '@modelwright/core';

/**
 * Multiplications and additions that a thread does in about 20 µs. To wake another one, or to keep it waiting for work that comes step
 * by step, costs as much.
 */
const smallStep = 2 ** 21;

/** Around a loop of small steps: what several threads would still gain less with than they lose within. */
const littleAround = 2 ** 29;

/**
 * How many threads a graph should run with: one where its time goes into loops of small steps, which several threads only slow down
 * (measured, training steps of `simpleRnn(64)` and `lstm(64)` over 100 steps: a third of the processor time, and less time in all).
 *
 * @returns `undefined` where the runtime's default, one a core, is right.
 */
export function threadCountFor(graph: Graph): 1 | undefined {
  const bodies = graph.nodes.flatMap((node) => (isScan(node) ? [bodyOf(node)] : []));
  if (bodies.length === 0) return undefined;
  const isSmall = bodies.every((body) => workOf(body) <= smallStep);
  return isSmall && workOf(graph) <= littleAround ? 1 : undefined;
}

const isScan = ({ op, domain }: Node): boolean => op === 'Scan' && domain === '';
const bodyOf = ({ attributes }: Node): Graph => (attributes as unknown as OpAttributes['Scan']).body;

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
