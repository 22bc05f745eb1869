import type { DecomposeContext, OpAttributes, OpName, Value } from '@modelwright/core';

/** What a rewrite sees: attributes of its op, and the values that were made for other nodes before. */
export interface RewriteContext<N extends OpName> extends Omit<DecomposeContext<OpAttributes[N]>, 'attributes'> {
  readonly attributes: OpAttributes[N];
  /** Extra outputs that lowering one node leaves for another, such as a pooling's indices. */
  readonly notes: Map<Value, Value>;
}

/** Builds the same outputs from ops the runtime has; `'keep'` leaves the node as it is, `undefined` asks for the op's own decomposition. */
export type Rewrite<N extends OpName> = (context: RewriteContext<N>) => readonly Value[] | 'keep' | undefined;

/** An op the runtime cannot be made to run. */
export interface Unsupported {
  readonly reason: string;
}

/**
 * How an op reaches ONNX Runtime: `'direct'` as it stands, `'decompose'` by core's simpler form, a rewrite by a form that is faster here,
 * or not at all.
 */
export type Lowering<N extends OpName> = 'direct' | 'decompose' | Rewrite<N> | Unsupported;

/** How each op of core reaches one of the runtime's execution providers. */
export type LoweringTable = { readonly [N in OpName]: Lowering<N> };

/** Marks an op as one the runtime cannot run. */
export function unsupported(reason: string): Unsupported {
  return { reason };
}
