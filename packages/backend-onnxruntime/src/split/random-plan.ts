import { dtypeOfOnnx, type Graph, type Node, type Value, valuesReadBy } from '@modelwright/core';
import { scalarRules } from './scalar-ops.js';
import { isScalar, operandsOf } from './select-update.js';

/** Uniform numbers that the host writes before the runtime runs. */
export interface RandomFill {
  readonly value: Value;
  readonly counter: Value;
  readonly seed: number;
  readonly count: number;
}

/**
 * Finds the `CounterUniform` nodes whose counter the host can compute by itself: from state, inputs and constants.
 */
export function planRandom(graph: Graph): RandomFill[] {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  return graph.nodes.flatMap((node) => {
    const [counter] = node.inputs;
    const [value] = node.outputs;
    if (node.op !== 'CounterUniform' || counter === undefined || value === undefined) return [];
    const { seed, shape, dtype } = node.attributes as { seed: number; shape: readonly number[]; dtype: number };
    if (dtypeOfOnnx(dtype) !== 'float32' || !isHostNumber(counter, makers)) return [];
    if (isCaptured(value, graph)) return [];
    return [{ value, counter, seed, count: shape.reduce((product, extent) => product * extent, 1) }];
  });
}

function isHostNumber(value: Value, makers: ReadonlyMap<Value, Node>): boolean {
  if (!isScalar(value)) return false;
  const maker = makers.get(value);
  if (maker === undefined) return true;
  if (maker.op !== 'Cast' && !Object.hasOwn(scalarRules, maker.op)) return false;
  return operandsOf(maker).every((input) => input === undefined || isHostNumber(input, makers));
}

/** A subgraph finds an outer value by its name, which an input keeps; still, leave such rare cases to the runtime. */
function isCaptured(value: Value, graph: Graph): boolean {
  return graph.nodes.some((node) => valuesReadBy(node).includes(value) && !node.inputs.includes(value));
}
