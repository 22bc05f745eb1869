import {
  type DType,
  dtypeFacts,
  type Graph,
  type GraphOutput,
  isConcrete,
  type Node,
  type Program,
  type StateSlot,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { planRandom, type RandomFill } from '../split/random-plan.js';
import { scalarRules } from '../split/scalar-ops.js';
import { planScalars, type ScalarPlan } from '../split/scalar-plan.js';
import { dataInputs, isScalar } from '../split/select-update.js';

/** A cast or new shape of what the caller gives, made before the run: GPUs lack kernels for most integer types. */
export interface HostCast {
  readonly value: Value;
  readonly source: Value;
}

/** A state slot and the output that carries its next value. */
export interface CarriedSlot {
  readonly slot: StateSlot;
  /** Name among the outputs of the device's graph. */
  readonly output: string;
}

/** A program cut for a device: tensors are computed and kept there, single numbers and random numbers come from the host. */
export interface ResidencyPlan {
  /** What the device computes. */
  readonly graph: Graph;
  /** Inputs of {@link graph} that are state, by input name. */
  readonly slots: ReadonlyMap<string, StateSlot>;
  /** Inputs of {@link graph} that are numbers of the host. */
  readonly numbers: readonly Value[];
  readonly random: readonly RandomFill[];
  readonly casts: readonly HostCast[];
  /** Computes {@link numbers}, counters and {@link numberSlots}. */
  readonly scalars: ScalarPlan;
  readonly carried: readonly CarriedSlot[];
  /** Slots whose next value is a number of the host. */
  readonly numberSlots: readonly { readonly slot: StateSlot; readonly value: Value }[];
  /** Slots whose next value is an input or constant as it is. */
  readonly copiedSlots: readonly { readonly slot: StateSlot; readonly value: Value }[];
  readonly fetched: readonly FetchedOutput[];
}

/** An output of the program and where it is found. */
export interface FetchedOutput {
  readonly name: string;
  readonly value: Value;
  readonly from: 'device' | 'number' | 'host';
}

const exactTargets: ReadonlySet<string> = new Set(['float32', 'float16', 'int64']);
const reshapingOps: ReadonlySet<string> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);
const numberTypes: ReadonlySet<string> = new Set(['float32', 'float64', 'int32', 'int64', 'bool']);

/** Cuts a program for a device. */
export function planResidency(program: Program): ResidencyPlan {
  const { graph, state } = program;
  const inputSlots = new Map<Value, StateSlot>();
  for (const input of graph.inputs) {
    const slot = state.find((one) => one.input === input.name);
    if (slot !== undefined) inputSlots.set(input, slot);
  }
  const nextOf = nextValues(program);
  const onHost = hostNumbers(graph, { inputSlots, nextOf });
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  const isNumber = (value: Value): boolean => onHost.has(value) && makers.has(value);
  const random = planRandom(graph).filter(({ counter }) => onHost.has(counter) || graph.constants.has(counter));
  const casts = hostCasts(graph, { inputSlots, isNumber });
  const replaced = new Set([...random.map(({ value }) => value), ...casts.map(({ value }) => value)]);
  const nodes = graph.nodes.filter((node) => !node.outputs.some((output) => isNumber(output) || replaced.has(output)));
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const names = new Set(state.map(({ output }) => output));
  const fetched = graph.outputs
    .filter(({ name }) => !names.has(name))
    .map(({ name, value }): FetchedOutput => {
      if (made.has(value) || replaced.has(value)) return { name, value, from: 'device' };
      return { name, value, from: isNumber(value) ? 'number' : 'host' };
    });
  const changing = state.flatMap((slot) => {
    const value = nextOf.get(slot);
    return value === undefined || inputSlots.get(value) === slot ? [] : [{ slot, value }];
  });
  const carried = changing.filter(({ value }) => made.has(value) || replaced.has(value));
  const outputs = [
    ...fetched.filter(({ from }) => from === 'device').map(({ name, value }) => ({ name, value })),
    ...carried.map(({ slot, value }) => ({ name: slot.output as string, value })),
  ];
  const device = deviceGraph(graph, { nodes, outputs });
  const numbers = device.inputs.filter(isNumber);
  const numberSlots = changing.filter(({ value }) => isNumber(value));
  return {
    graph: device,
    slots: new Map(
      device.inputs.flatMap((input) => {
        const slot = inputSlots.get(input);
        return slot === undefined ? [] : [[input.name, slot] as const];
      }),
    ),
    numbers,
    random: random.filter(({ value }) => device.inputs.includes(value)),
    casts: casts.filter(({ value }) => device.inputs.includes(value)),
    scalars: planScalars(
      [
        ...numbers,
        ...numberSlots.map(({ value }) => value),
        ...fetched.filter(({ from }) => from === 'number').map(({ value }) => value),
        ...random.map(({ counter }) => counter),
      ],
      new Map([...makers].filter(([value]) => isNumber(value))),
      (value) => {
        const constant = graph.constants.get(value);
        return constant === undefined ? undefined : Number(constant.data[0]);
      },
    ),
    carried: carried.map(({ slot }) => ({ slot, output: slot.output as string })),
    numberSlots,
    copiedSlots: changing.filter(({ value }) => !made.has(value) && !replaced.has(value) && !isNumber(value)),
    fetched,
  };
}

function nextValues({ graph, state }: Program): ReadonlyMap<StateSlot, Value> {
  const outputs = new Map(graph.outputs.map(({ name, value }) => [name, value]));
  return new Map(
    state.flatMap((slot) => {
      const value = slot.output === undefined ? undefined : outputs.get(slot.output);
      return value === undefined ? [] : [[slot, value] as const];
    }),
  );
}

interface SlotFacts {
  readonly inputSlots: ReadonlyMap<Value, StateSlot>;
  readonly nextOf: ReadonlyMap<StateSlot, Value>;
}

/**
 * Single numbers that depend on nothing the device computes: inputs, constants, and slots whose next value is such a number. Slots are
 * first taken for host numbers, then those that turn out not to be are dropped until nothing changes.
 */
function hostNumbers(graph: Graph, { inputSlots, nextOf }: SlotFacts): ReadonlySet<Value> {
  const isCandidate = (value: Value): boolean => isScalar(value) && numberTypes.has(value.dtype);
  const sources = new Set([...graph.inputs, ...graph.constants.keys()].filter(isCandidate));
  for (;;) {
    const numbers = new Set(sources);
    for (const node of graph.nodes) {
      const [output] = node.outputs;
      if (output === undefined || node.outputs.length > 1 || !isCandidate(output)) continue;
      if (node.op !== 'Cast' && !Object.hasOwn(scalarRules, node.op)) continue;
      if (dataInputs(node).every((input) => numbers.has(input))) numbers.add(output);
    }
    const wrong = [...inputSlots].filter(([input, slot]) => {
      const next = nextOf.get(slot);
      return sources.has(input) && next !== undefined && !numbers.has(next);
    });
    if (wrong.length === 0) return numbers;
    for (const [input] of wrong) sources.delete(input);
  }
}

function hostCasts(
  graph: Graph,
  { inputSlots, isNumber }: { inputSlots: SlotFacts['inputSlots']; isNumber: (value: Value) => boolean },
): readonly HostCast[] {
  const sources = new Map(graph.inputs.filter((input) => !inputSlots.has(input)).map((input) => [input, input]));
  return graph.nodes.flatMap((node) => {
    const [input] = node.inputs;
    const [value] = node.outputs;
    const source = input === undefined ? undefined : sources.get(input);
    if (source === undefined || value === undefined || isNumber(value) || !isHostMovement(node, value)) return [];
    if (keepsAll(source.dtype, value.dtype)) sources.set(value, source);
    return [{ value, source }];
  });
}

/** Whether one cast does what two do, the first of them between these types. */
function keepsAll(from: DType, to: DType): boolean {
  const { kind, bits } = dtypeFacts[from];
  return from === to || (to === 'int64' && (kind === 'int' || (kind === 'uint' && bits < 64)));
}

/** Casts that lose nothing, and new shapes of integers. Narrowing integers drops high bits, which numbers of JavaScript do not. */
function isHostMovement({ op, inputs }: Node, value: Value): boolean {
  // Neither text nor what the stock API cannot carry.
  if (inputs[0]?.dtype === 'string' || inputs[0]?.dtype === 'bfloat16') return false;
  if (op === 'Cast') return exactTargets.has(value.dtype);
  return reshapingOps.has(op) && value.dtype === 'int64' && isConcrete(value.shape);
}

/** The graph of the nodes that are left; what they read and do not make becomes an input. */
function deviceGraph(graph: Graph, parts: { nodes: readonly Node[]; outputs: readonly GraphOutput[] }): Graph {
  const used = new Set(parts.outputs.map(({ value }) => value));
  const needed: Node[] = [];
  for (const node of [...parts.nodes].reverse()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    needed.push(node);
    for (const value of valuesReadBy(node)) used.add(value);
  }
  needed.reverse();
  const made = new Set(needed.flatMap(({ outputs }) => outputs));
  const constants = new Map([...graph.constants].filter(([value]) => used.has(value)));
  const given = graph.inputs.filter((input) => used.has(input));
  const crossing = [...used].filter(
    (value) => !made.has(value) && !constants.has(value) && !graph.inputs.includes(value),
  );
  return { name: graph.name, inputs: [...given, ...crossing], outputs: parts.outputs, nodes: needed, constants };
}
