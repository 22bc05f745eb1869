import type { Node, Value } from '@modelwright/core';

/** Where a sum over channels is made: the input that can be zeroed there, and its axis. */
export interface ContractedAxis {
  readonly node: Node;
  readonly input: number;
  readonly axis: number;
}

/** How an op with groups of channels is made narrower: whole groups go, or as many channels from each. */
export type GroupMode = 'whole' | 'each';

/**
 * Which positions of which axes belong together. Every position of every axis of a graph's values has a label; the rules
 * of the ops unite labels of positions that can only be removed together, and pin those that have to stay.
 */
export class ChannelLabels {
  /** Sums over channels, in order. */
  readonly contracted: ContractedAxis[] = [];
  /** Inputs that make channels: the output axes of weights. */
  readonly produced: ContractedAxis[] = [];
  /** Vectors that scale channels: gammas of normalizations. */
  readonly scales: Value[] = [];
  /** Nodes whose statistics go over channels. */
  readonly normalizing: Node[] = [];
  /** Nodes with groups of channels or heads that are made narrower. */
  readonly groupModes: Map<Node, GroupMode> = new Map();
  readonly #axes: Map<Value, readonly Int32Array[]> = new Map();
  readonly #parents: number[] = [];
  readonly #pinned: (string | undefined)[] = [];
  readonly #normalized: boolean[] = [];

  /** Labels of the positions along an axis; none where the extent is open. */
  of(value: Value, axis: number): Int32Array {
    let axes = this.#axes.get(value);
    if (axes === undefined) {
      axes = value.shape.map((extent) => this.#fresh(typeof extent === 'number' ? extent : 0));
      this.#axes.set(value, axes);
    }
    return axes[axis < 0 ? axis + axes.length : axis] ?? new Int32Array(0);
  }

  /** All values whose axes anyone has asked for. */
  values(): Iterable<Value> {
    return this.#axes.keys();
  }

  /** The label that stands for all that `label` is united with. */
  root(label: number): number {
    let at = label;
    while (this.#parents[at] !== at) {
      this.#parents[at] = this.#parents[this.#parents[at] as number] as number;
      at = this.#parents[at] as number;
    }
    return at;
  }

  unite(one: number, other: number): void {
    const [a, b] = [this.root(one), this.root(other)];
    if (a === b) return;
    const [kept, joined] = a < b ? [a, b] : [b, a];
    this.#parents[joined] = kept;
    this.#pinned[kept] ??= this.#pinned[joined];
    this.#normalized[kept] ||= this.#normalized[joined] ?? false;
  }

  /** Unites position by position; labels of different number cannot go together and stay. */
  link(one: Int32Array, other: Int32Array, reason = 'axes of different extents'): void {
    if (one.length !== other.length) {
      this.pin(one, reason);
      this.pin(other, reason);
      return;
    }
    for (let index = 0; index < one.length; index++) this.unite(one[index] as number, other[index] as number);
  }

  /** Links axes of two values. */
  linkAxis(one: Value, axis: number, other: Value, otherAxis: number = axis): void {
    this.link(this.of(one, axis), this.of(other, otherAxis));
  }

  /** Says that these positions have to stay. */
  pin(labels: Iterable<number>, reason: string): void {
    for (const label of labels) this.#pinned[this.root(label)] ??= reason;
  }

  pinAxis(value: Value, axis: number, reason: string): void {
    this.pin(this.of(value, axis), reason);
  }

  pinValue(value: Value | undefined, reason: string): void {
    value?.shape.forEach((_, axis) => {
      this.pinAxis(value, axis, reason);
    });
  }

  /** Why a position has to stay, if it has to. */
  pinReason(label: number): string | undefined {
    return this.#pinned[this.root(label)];
  }

  isPinned(labels: Int32Array): boolean {
    return labels.length === 0 || labels.some((label) => this.pinReason(label) !== undefined);
  }

  /** Says that statistics go over these positions: without one of them, the others are normalized differently. */
  markNormalized(labels: Int32Array): void {
    for (const label of labels) this.#normalized[this.root(label)] = true;
  }

  isNormalized(label: number): boolean {
    return this.#normalized[this.root(label)] ?? false;
  }

  #fresh(count: number): Int32Array {
    const first = this.#parents.length;
    for (let index = 0; index < count; index++) this.#parents.push(first + index);
    return Int32Array.from({ length: count }, (_, index) => first + index);
  }
}
