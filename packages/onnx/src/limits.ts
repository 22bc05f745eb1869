/**
 * Bounds on what a file may cost to read. They exist so that a hostile file ends in an error instead of eating the
 * machine; every real model seen stays far below the defaults.
 */
export interface ReadLimits {
  /** Size of the file itself; protobuf's own bound is 2 GiB. */
  readonly maxFileBytes: number;
  /** Messages within messages. A subgraph takes three levels, so 100 allows 32 nested `If` or `Loop` bodies. */
  readonly maxDepth: number;
  /** Messages (nodes, attributes, tensors, dimensions, …) in the file; one costs about half a kilobyte when decoded. */
  readonly maxMessages: number;
  /** Entries of all lists of numbers and strings together, tensor data excepted. */
  readonly maxListValues: number;
  /** Longest name or other text, in bytes. */
  readonly maxStringBytes: number;
  /** Nodes after model-local functions are inlined. */
  readonly maxNodes: number;
  /** Axes of a tensor. */
  readonly maxRank: number;
  /** Bytes that may be made out of nothing, by expanding sparse tensors. */
  readonly maxExpandedBytes: number;
  /**
   * Characters of names and symbolic extents made up while reading: an expression over symbols can double from node to
   * node, and each value of an inlined function carries the name of the call.
   */
  readonly maxMadeUpCharacters: number;
}

/** The bounds used where the caller gives none. */
export const defaultReadLimits: ReadLimits = {
  maxFileBytes: 2 ** 31,
  maxDepth: 100,
  maxMessages: 2_000_000,
  maxListValues: 16_000_000,
  maxStringBytes: 2 ** 24,
  maxNodes: 500_000,
  maxRank: 64,
  maxExpandedBytes: 2 ** 28,
  maxMadeUpCharacters: 2 ** 26,
};
