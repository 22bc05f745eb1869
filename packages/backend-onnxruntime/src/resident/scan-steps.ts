import {
  type Bindings,
  type Graph,
  GraphBuilder,
  inlineGraph,
  type Program,
  type StateSlot,
  type Value,
} from '@modelwright/core';

/** Many runs of a program as one graph. */
export interface ScannedSteps {
  readonly graph: Graph;
  /** Input that only says how many steps there are, where the program takes nothing but its state. */
  readonly ticks: string | undefined;
}

interface Slot extends StateSlot {
  readonly value: Value;
  /** What the slot holds next; undefined where it never changes. */
  readonly next: Value | undefined;
}

/**
 * Makes one graph of any number of runs in a row: a `Scan` that carries the state. Its inputs are the state before the first step, by the slots'
 * input names, and all other inputs stacked along a new first axis; its outputs the state after the last step, by the slots' output names,
 * and all other outputs stacked, in the order of the program's.
 *
 * `(state, x[t]) → (state′, y[t])`
 *
 * @param program - each slot's input must be one of its graph's.
 */
export function scanSteps(program: Program): ScannedSteps {
  const { graph } = program;
  const slots = slotsOf(program);
  const carried = slots.filter(({ next }) => next !== undefined);
  const isState = new Set(slots.map(({ value }) => value));
  const isNext = new Set(carried.map(({ output }) => output));
  const given = graph.inputs.filter((input) => !isState.has(input));
  const made = graph.outputs.filter(({ name }) => !isNext.has(name));
  const names = [...carried.map(({ output }) => output as string), ...made.map(({ name }) => name)];

  const builder = new GraphBuilder(`${graph.name}.steps`);
  const length = freeSymbol(graph);
  const state = new Map(slots.map((slot) => [slot, builder.input(slot.input, slot.value.dtype, slot.value.shape)]));
  const stacked = given.map(({ name, dtype, shape }) => builder.input(name, dtype, [length, ...shape]));
  const ticks = given.length === 0 ? builder.input('ticks', 'float32', [length]) : undefined;
  const body = builder.subgraph('step', (inner) => {
    const bindings: Bindings = new Map([...state].map(([{ value }, outer]) => [value, outer]));
    for (const { value } of carried) bindings.set(value, inner.input(value.name, value.dtype, value.shape));
    for (const value of given) bindings.set(value, inner.input(value.name, value.dtype, value.shape));
    if (ticks !== undefined) inner.input('tick', 'float32', []);
    const results = inlineGraph(inner, graph, bindings);
    const resultOf = new Map(graph.outputs.map(({ name }, index) => [name, results[index] as Value]));
    for (const name of names) inner.output(name, computedInside(inner, resultOf.get(name) as Value));
  });
  const initial = carried.map((slot) => state.get(slot) as Value);
  const sequences = ticks === undefined ? stacked : [ticks];
  const outputs = builder.node(
    'Scan',
    [...initial, ...sequences],
    { body, num_scan_inputs: sequences.length },
    { outputs: names.length },
  );
  const resultOf = new Map(names.map((name, index) => [name, outputs[index] as Value]));
  for (const { name } of graph.outputs) builder.output(name, resultOf.get(name) as Value);
  return { graph: builder.build(), ticks: ticks?.name };
}

function slotsOf({ graph, state }: Program): readonly Slot[] {
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]));
  const outputs = new Map(graph.outputs.map(({ name, value }) => [name, value]));
  return state.map((slot) => {
    const value = inputs.get(slot.input) as Value;
    return { ...slot, value, next: slot.output === undefined ? undefined : outputs.get(slot.output) };
  });
}

/** A symbol that no input's shape has. */
function freeSymbol({ inputs }: Graph): string {
  const taken = new Set(inputs.flatMap(({ shape }) => shape));
  let symbol = 'steps';
  while (taken.has(symbol)) symbol += "'";
  return symbol;
}

/** Runtimes want what leaves a body to be computed inside of it, and each value to leave once. */
function computedInside(inner: GraphBuilder, value: Value): Value {
  const { nodes, outputs } = inner.build();
  const isOwn = nodes.some((node) => node.outputs.includes(value)) && outputs.every((output) => output.value !== value);
  return isOwn ? value : inner.op('Identity', [value]);
}
