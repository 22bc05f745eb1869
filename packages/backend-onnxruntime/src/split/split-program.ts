import {
  type Graph,
  type GraphOutput,
  type Node,
  type Program,
  type StateSlot,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { isWrittenInPlace } from './in-place.js';
import { planRandom, type RandomFill } from './random-plan.js';
import { planScalars, type ScalarPlan } from './scalar-plan.js';
import { isScalar, selectUpdate } from './select-update.js';
import { type ArrayReference, planPasses, type UpdatePass } from './update-plan.js';

/** A number that the host computes and a slot keeps. */
export interface ScalarStore {
  readonly slot: StateSlot;
  readonly value: Value;
}

/** A slot whose next state the runtime computes. */
export interface RuntimeStore {
  readonly slot: StateSlot;
  readonly value: Value;
  /** Whether it writes over the current state, which then needs no second memory. */
  readonly isInPlace: boolean;
}

/** A program cut in two: a graph for the runtime, and passes over memory for the host. */
export interface SplitProgram {
  /** What the runtime computes. Outputs are named after their values. */
  readonly graph: Graph;
  readonly slotOfInput: ReadonlyMap<Value, StateSlot>;
  /** Constants of the whole program: passes may read some. */
  readonly constants: Graph['constants'];
  /** Random numbers that the host makes before the runtime runs. */
  readonly random: readonly RandomFill[];
  /** Numbers the random fills need; computed before the runtime runs. */
  readonly early: ScalarPlan;
  /** Numbers that passes and slots need; computed after the runtime has run. */
  readonly late: ScalarPlan;
  readonly passes: readonly UpdatePass[];
  readonly scalarStores: readonly ScalarStore[];
  readonly runtimeStores: readonly RuntimeStore[];
  /** What the caller fetches, in the program's order. */
  readonly fetched: readonly GraphOutput[];
}

/** What the host may take over. */
export interface SplitOptions {
  /** False leaves everything in the graph. */
  readonly onHost: boolean;
}

/**
 * Cuts a program: the elementwise part that only updates state, and random numbers, go to the host; all else stays in the graph.
 */
export function splitProgram(program: Program, options: SplitOptions): SplitProgram {
  const { graph, state } = program;
  const slotOfInput = new Map<Value, StateSlot>();
  for (const input of graph.inputs) {
    const slot = state.find((one) => one.input === input.name);
    if (slot !== undefined) slotOfInput.set(input, slot);
  }
  const selected: ReadonlySet<Node> = options.onHost ? selectUpdate(program) : new Set();
  const random = options.onHost ? planRandom(graph) : [];
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  const selectedMakers = new Map([...makers].filter(([, node]) => selected.has(node)));
  const passes = options.onHost ? planPasses(program, { graph, selected, slotOfInput }) : [];
  const stores = storesOf(program, { slotOfInput, selectedMakers, passes });
  const constantOf = (value: Value): number | undefined => {
    const constant = graph.constants.get(value);
    return constant === undefined ? undefined : Number(constant.data[0]);
  };
  const wanted = [...passes.flatMap(({ scalars }) => scalars), ...stores.scalar.map(({ value }) => value)];
  const late = planScalars(wanted, selectedMakers, constantOf);
  const early = planScalars(
    random.map(({ counter }) => counter),
    makers,
    constantOf,
  );
  const carried = new Set(state.map(({ output }) => output));
  const fetched = graph.outputs.filter(({ name }) => !carried.has(name));
  const results = [
    ...fetched.map(({ value }) => value),
    ...stores.runtime.map(({ value }) => value),
    ...late.sources.map(({ value }) => value),
    ...passes.flatMap(({ arrays }) => arrays.filter(isValueReference).map(({ value }) => value)),
  ];
  const remaining = cutGraph(graph, { results, selected, random });
  return {
    graph: remaining,
    slotOfInput,
    constants: graph.constants,
    random,
    early,
    late,
    passes,
    scalarStores: stores.scalar,
    runtimeStores: stores.runtime,
    fetched,
  };
}

function isValueReference(reference: ArrayReference): reference is Extract<ArrayReference, { kind: 'value' }> {
  return reference.kind === 'value';
}

interface StoreContext {
  readonly slotOfInput: ReadonlyMap<Value, StateSlot>;
  readonly selectedMakers: ReadonlyMap<Value, Node>;
  readonly passes: readonly UpdatePass[];
}

function storesOf(program: Program, context: StoreContext): { scalar: ScalarStore[]; runtime: RuntimeStore[] } {
  const outputs = new Map(program.graph.outputs.map(({ name, value }) => [name, value]));
  const written = new Set(
    context.passes.flatMap(({ kernel, arrays }) =>
      kernel.stores.map(({ array }) => (arrays[array] as Extract<ArrayReference, { kind: 'state' }>).slot),
    ),
  );
  const scalar: ScalarStore[] = [];
  const runtime: RuntimeStore[] = [];
  for (const slot of program.state) {
    const value = slot.output === undefined ? undefined : outputs.get(slot.output);
    if (value === undefined || written.has(slot) || context.slotOfInput.get(value) === slot) continue;
    if (isScalar(value) && context.selectedMakers.has(value)) {
      scalar.push({ slot, value });
      continue;
    }
    const input = program.graph.inputs.find(({ name }) => name === slot.input);
    const hostNodes = context.selectedMakers.values();
    const isInPlace = isWrittenInPlace(program.graph, { slot, value, input, hostNodes });
    runtime.push({ slot, value, isInPlace });
  }
  return { scalar, runtime };
}

interface Cut {
  readonly results: readonly Value[];
  readonly selected: ReadonlySet<Node>;
  readonly random: readonly RandomFill[];
}

/** The graph without what the host does; random numbers become inputs, inputs nobody reads go. */
function cutGraph(graph: Graph, { results, selected, random }: Cut): Graph {
  const filled = new Set(random.map(({ value }) => value));
  const nodes = graph.nodes.filter((node) => !selected.has(node) && !node.outputs.some((output) => filled.has(output)));
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  // What is an input or a constant needs no detour through the runtime.
  const outputs = [...new Set(results)]
    .filter((value) => made.has(value))
    .map((value): GraphOutput => ({ name: value.name, value }));
  const { needed, used } = neededFor(outputs, nodes);
  return {
    name: graph.name,
    inputs: [...graph.inputs, ...filled].filter((value) => used.has(value)),
    outputs,
    nodes: needed,
    constants: new Map([...graph.constants].filter(([value]) => used.has(value))),
  };
}

/** The nodes that outputs depend on, in order, and every value they read. */
function neededFor(outputs: readonly GraphOutput[], nodes: readonly Node[]): { needed: Node[]; used: Set<Value> } {
  const used = new Set(outputs.map(({ value }) => value));
  const needed: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    needed.push(node);
    for (const value of valuesReadBy(node)) used.add(value);
  }
  return { needed: needed.reverse(), used };
}
