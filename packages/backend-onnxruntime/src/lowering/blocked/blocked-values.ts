import type { GraphBuilder, Value } from '@modelwright/core';
import { fromBlocked, toBlocked } from './blocked-layout.js';

/** Which values of a graph that is being built are there in the blocked layout. */
export class BlockedValues {
  readonly #builder: GraphBuilder;
  /** Those that were made in the layout. */
  readonly #made: Map<Value, Value> = new Map();
  /** Those that were brought into it. */
  readonly #brought: Map<Value, Value> = new Map();

  constructor(builder: GraphBuilder) {
    this.#builder = builder;
  }

  /** @returns the plain form of a blocked value; who reads that in the layout gets the value itself. */
  plain(blocked: Value): Value {
    const plain = fromBlocked(this.#builder, blocked);
    this.#made.set(plain, blocked);
    return plain;
  }

  /** @returns the blocked form of a value that was made in the layout. */
  made(plain: Value | undefined): Value | undefined {
    return plain === undefined ? undefined : this.#made.get(plain);
  }

  /** @returns the blocked form of any value; its channels must be a multiple of the block. */
  blocked(plain: Value): Value {
    const known = this.#made.get(plain) ?? this.#brought.get(plain);
    if (known !== undefined) return known;
    const brought = toBlocked(this.#builder, plain);
    this.#brought.set(plain, brought);
    return brought;
  }
}
