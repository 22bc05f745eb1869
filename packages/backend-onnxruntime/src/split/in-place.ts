import { type Graph, type Node, type StateSlot, type Value, valuesReadBy } from '@modelwright/core';

/**
 * Whether the runtime may write a slot's next state over the current one: the next state is the current one with a few places
 * replaced (`ScatterND`, `ScatterElements`), and nobody else reads the current one. The runtime's scatter copies its data only
 * where input and output are different memory; so a key/value cache costs one position a run, not a copy of the cache.
 *
 * A run that fails half way leaves such a slot half written.
 */
export function isWrittenInPlace(
  graph: Graph,
  store: { slot: StateSlot; value: Value; input: Value | undefined; hostNodes: Iterable<Node> },
): boolean {
  const { slot, value, input } = store;
  if (input === undefined || input.dtype === 'string') return false;
  const maker = graph.nodes.find(({ outputs }) => outputs.includes(value));
  if (maker === undefined || !isScatterInto(maker, input)) return false;
  const isRead = graph.nodes.some((node) => node !== maker && valuesReadBy(node).includes(input));
  // A pass of the host reads memory of its own, not that of the slot.
  for (const node of store.hostNodes) if (valuesReadBy(node).includes(value)) return false;
  const isTold = graph.outputs.some(
    (output) => output.value === input || (output.value === value && output.name !== slot.output),
  );
  return !isRead && !isTold;
}

function isScatterInto({ op, domain, inputs }: Node, input: Value): boolean {
  const isScatter = domain === '' && (op === 'ScatterND' || op === 'ScatterElements');
  return isScatter && inputs[0] === input && !inputs.slice(1).includes(input);
}
