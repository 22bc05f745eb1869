import type { TensorMap } from '@modelwright/core';
import type { ServedResult } from '../contract/served-model.js';
import type { CheckedRequest } from './check-request.js';

/** A request that waits for its answer. */
export interface WaitingRequest extends CheckedRequest {
  /** 0 is served first. */
  readonly level: number;
  /** On the clock of `performance.now()`. */
  readonly arrivedAt: number;
  /** Whether somebody still waits: not cancelled, not too late. */
  readonly isWanted: boolean;
  succeed(result: ServedResult): void;
  fail(error: unknown): void;
}

/** Requests that go together. */
export interface Batch {
  readonly requests: readonly WaitingRequest[];
  readonly inputs: readonly TensorMap[];
  readonly rowCount: number;
}

/** Requests by priority, each level in the order of arrival. Removal anywhere takes constant time. */
export class RequestQueue {
  readonly #levels: readonly Set<WaitingRequest>[];
  #size = 0;
  #rowCount = 0;

  constructor(levelCount: number) {
    this.#levels = Array.from({ length: levelCount }, () => new Set<WaitingRequest>());
  }

  /** Requests in it. */
  get size(): number {
    return this.#size;
  }

  /** Examples in it. */
  get rowCount(): number {
    return this.#rowCount;
  }

  add(request: WaitingRequest): void {
    this.#levels[request.level]?.add(request);
    this.#size += 1;
    this.#rowCount += request.rowCount;
  }

  /** Takes a request out; says whether it was there. */
  delete(request: WaitingRequest): boolean {
    if (this.#levels[request.level]?.delete(request) !== true) return false;
    this.#size -= 1;
    this.#rowCount -= request.rowCount;
    return true;
  }

  /** The one to be served next. */
  head(): WaitingRequest | undefined {
    for (const level of this.#levels) for (const request of level) return request;
    return undefined;
  }

  /**
   * The next ones that run together: the head, and those behind it with the same key as long as they fit; nobody overtakes another
   * one of the same key and level.
   */
  peek(mostRows: number): readonly WaitingRequest[] {
    const head = this.head();
    if (head === undefined) return [];
    const taken: WaitingRequest[] = [];
    let rows = 0;
    for (const level of this.#levels)
      for (const request of level) {
        if (request.key !== head.key) continue;
        if (taken.length > 0 && rows + request.rowCount > mostRows) return taken;
        taken.push(request);
        rows += request.rowCount;
        if (rows >= mostRows) return taken;
      }
    return taken;
  }

  /** Empties it. */
  drain(): readonly WaitingRequest[] {
    const all = this.#levels.flatMap((level) => [...level]);
    for (const request of all) this.delete(request);
    return all;
  }
}
