import type { OpDefinition } from './definition.js';
/** Pending. */
export const einsum: OpDefinition<{ equation: string }> = undefined as never;
