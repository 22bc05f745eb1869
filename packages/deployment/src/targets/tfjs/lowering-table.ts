import { definitionOf, type Node } from '@modelwright/core';
import type { Emit } from './emit.js';
import { arrayEmits } from './lower-arrays.js';
import { elementwiseEmits } from './lower-elementwise.js';
import { imageEmits } from './lower-images.js';
import { productEmits } from './lower-products.js';

/** Ops that TensorFlow.js has, and how they are written; every other op has to be taken apart into these. */
const emits: { readonly [op: string]: Emit } = { ...elementwiseEmits, ...imageEmits, ...arrayEmits, ...productEmits };

/** How a node is written; undefined if TensorFlow.js has nothing like it. */
export function emitOf({ op, domain }: Node): Emit | undefined {
  return domain === '' && Object.hasOwn(emits, op) ? emits[op] : undefined;
}

/** Whether simpler ops have to take the place of a node. */
export function needsDecomposition(node: Node): boolean {
  return emitOf(node) === undefined && definitionOf(node)?.decompose !== undefined;
}
