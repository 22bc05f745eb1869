import type { Graph, Node, Program, StateSlot, Value } from '@modelwright/core';
import {
  type LaneOperation,
  type LoopKernel,
  type LoopNode,
  type LoopStore,
  nodeSignature,
} from '../wasm/loop-kernel.js';
import { countOf, dataInputs, isScalar } from './select-update.js';
import { aliasOps, type LaneEmitter, laneRules } from './vector-ops.js';

/** Memory a pass works on: a state slot, or a value that the runtime, the caller or the graph provides. */
export type ArrayReference =
  | { readonly kind: 'state'; readonly slot: StateSlot }
  | { readonly kind: 'value'; readonly value: Value };

/** One loop over arrays of `count` elements. */
export interface UpdatePass {
  readonly kernel: LoopKernel;
  readonly count: number;
  /** Memory of each of the kernel's arrays. */
  readonly arrays: readonly ArrayReference[];
  /** Value of each of the kernel's scalars. */
  readonly scalars: readonly Value[];
}

/** Where values come from, as the split decided. */
export interface UpdateSources {
  readonly graph: Graph;
  readonly selected: ReadonlySet<Node>;
  readonly slotOfInput: ReadonlyMap<Value, StateSlot>;
}

/**
 * Groups the selected vector nodes into passes. Slots that read a common array are written by one pass, so that each array is read before
 * any pass has overwritten it.
 */
export function planPasses(program: Program, sources: UpdateSources): UpdatePass[] {
  const outputs = new Map(program.graph.outputs.map(({ name, value }) => [name, value]));
  const makers = new Map<Value, Node>();
  for (const node of sources.selected) for (const output of node.outputs) makers.set(output, node);
  const groups = new Groups();
  for (const slot of program.state) {
    const value = slot.output === undefined ? undefined : outputs.get(slot.output);
    if (value === undefined || isScalar(value) || isLeftToRuntime(value, slot, { makers, sources })) continue;
    groups.add({ slot, value }, reach(value, { makers, sources }), slot);
  }
  return groups.all().map((stores) => new PassBuilder(sources, makers).build(stores));
}

interface Reach {
  readonly makers: ReadonlyMap<Value, Node>;
  readonly sources: UpdateSources;
}

/** A slot that the graph itself computes, or that stays as it is, needs no pass. */
function isLeftToRuntime(value: Value, slot: StateSlot, { makers, sources }: Reach): boolean {
  if (makers.has(value)) return false;
  const source = sources.slotOfInput.get(value);
  return source === undefined || source === slot;
}

/** The vectors that a value depends on through selected nodes: those between and those where it begins. */
function reach(value: Value, context: Reach, found = new Set<Value>()): Set<Value> {
  if (found.has(value) || isScalar(value)) return found;
  found.add(value);
  const maker = context.makers.get(value);
  if (maker !== undefined) for (const input of dataInputs(maker)) reach(input, context, found);
  return found;
}

interface SlotStore {
  readonly slot: StateSlot;
  readonly value: Value;
}

interface Group {
  readonly stores: SlotStore[];
  readonly keys: Set<unknown>;
}

/** Sets of stores, joined when they share a vector or when one writes a slot that another reads. */
class Groups {
  readonly #groups: Group[] = [];

  add(store: SlotStore, vectors: ReadonlySet<Value>, slot: StateSlot): void {
    const joined = { stores: [store], keys: new Set<unknown>([...[...vectors].map(({ name }) => name), slot.input]) };
    for (let index = this.#groups.length - 1; index >= 0; index--) {
      const group = this.#groups[index] as Group;
      if (![...group.keys].some((key) => joined.keys.has(key))) continue;
      joined.stores.unshift(...group.stores);
      for (const key of group.keys) joined.keys.add(key);
      this.#groups.splice(index, 1);
    }
    this.#groups.push(joined);
  }

  all(): SlotStore[][] {
    return this.#groups.map(({ stores }) => stores);
  }
}

class PassBuilder implements LaneEmitter {
  readonly #sources: UpdateSources;
  readonly #makers: ReadonlyMap<Value, Node>;
  readonly #nodes: LoopNode[] = [];
  readonly #known = new Map<string, number>();
  readonly #positions = new Map<Value, number>();
  readonly #arrays: ArrayReference[] = [];
  readonly #scalars: Value[] = [];

  constructor(sources: UpdateSources, makers: ReadonlyMap<Value, Node>) {
    this.#sources = sources;
    this.#makers = makers;
  }

  build(stores: readonly SlotStore[]): UpdatePass {
    const targets = stores.map(({ slot, value }): LoopStore => {
      const node = this.#position(value);
      return { array: this.#array({ kind: 'state', slot }), node };
    });
    const kernel: LoopKernel = {
      arrayCount: this.#arrays.length,
      scalarCount: this.#scalars.length,
      nodes: this.#nodes,
      stores: targets,
    };
    const count = countOf((stores[0] as SlotStore).value) as number;
    return { kernel, count, arrays: this.#arrays, scalars: this.#scalars };
  }

  emit(operation: LaneOperation, ...operands: number[]): number {
    return this.#add({ kind: 'operation', operation, operands });
  }

  constant(value: number): number {
    return this.#add({ kind: 'constant', value });
  }

  constantOf(node: number): number | undefined {
    const found = this.#nodes[node];
    return found?.kind === 'constant' ? found.value : undefined;
  }

  #position(value: Value): number {
    const known = this.#positions.get(value);
    if (known !== undefined) return known;
    const position = this.#compute(value);
    this.#positions.set(value, position);
    return position;
  }

  #compute(value: Value): number {
    if (isScalar(value)) return this.#scalar(value);
    const maker = this.#makers.get(value);
    if (maker === undefined) return this.#add({ kind: 'load', array: this.#array(this.#reference(value)) });
    if (aliasOps.has(maker.op)) return this.#position(maker.inputs[0] as Value);
    const operands = maker.inputs.map((input) => (input === undefined ? undefined : this.#position(input)));
    const rule = laneRules[maker.op as keyof typeof laneRules];
    return (rule as NonNullable<typeof rule>)(this, operands);
  }

  #scalar(value: Value): number {
    const constant = this.#sources.graph.constants.get(value);
    // A constant mask has no number; it travels as a scalar, which knows how to spread truth over a lane.
    if (constant !== undefined && value.dtype !== 'bool') return this.constant(Number(constant.data[0]));
    return this.#add({ kind: 'scalar', index: this.#scalars.push(value) - 1 });
  }

  #reference(value: Value): ArrayReference {
    const slot = this.#sources.slotOfInput.get(value);
    return slot === undefined ? { kind: 'value', value } : { kind: 'state', slot };
  }

  #array(reference: ArrayReference): number {
    const found = this.#arrays.findIndex((one) =>
      one.kind === 'state'
        ? reference.kind === 'state' && one.slot === reference.slot
        : reference.kind === 'value' && one.value === reference.value,
    );
    return found >= 0 ? found : this.#arrays.push(reference) - 1;
  }

  /** Equal nodes are one: a pass is short, but optimizers repeat themselves. */
  #add(node: LoopNode): number {
    const key = nodeSignature(node);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const position = this.#nodes.push(node) - 1;
    this.#known.set(key, position);
    return position;
  }
}
