import type { modelwrightDomain, Node } from '../graph/graph.js';
import type { OpDefinition } from './definition.js';
import { type OpAttributes, opDefinitions } from './families.js';

/** Name of an op that core defines. */
export type OpName = keyof OpAttributes & string;

/** Every op core defines, by name. */
export const ops: { readonly [N in OpName]: OpDefinition<OpAttributes[N]> } = opDefinitions;

/** All op names. */
export const opNames: readonly OpName[] = Object.keys(opDefinitions) as OpName[];

/** Whether core defines an op of this name (and domain, when given). */
export function isOpName(name: string, domain?: string): name is OpName {
  if (!Object.hasOwn(opDefinitions, name)) return false;
  return domain === undefined || (opDefinitions[name as OpName].domain ?? '') === domain;
}

/** The definition of a node's op; undefined for a foreign node. */
export function definitionOf(node: Pick<Node, 'op' | 'domain'>): OpDefinition | undefined {
  return isOpName(node.op, node.domain) ? (opDefinitions[node.op] as OpDefinition) : undefined;
}

/** Whether core does not define the node's op. */
export function isForeign(node: Pick<Node, 'op' | 'domain'>): boolean {
  return definitionOf(node) === undefined;
}

/** Domain of an op core defines. */
export function domainOf(name: OpName): '' | typeof modelwrightDomain {
  return (opDefinitions[name].domain ?? '') as '' | typeof modelwrightDomain;
}
