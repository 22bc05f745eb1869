import {
  type Graph,
  isFloat,
  type Model,
  ModelwrightError,
  type Node,
  type Parameter,
  valuesReadBy,
} from '@modelwright/core';
import { weightedNodes } from '../weighted-nodes.js';
import type { AdaptedKind, AdaptedWeight } from './adapter-record.js';
import { matrixOf } from './factors.js';

/** Weights by name: a part of the path between dots (`attn.c_attn`, `h.0`), or a pattern for the whole name. */
export type WeightPattern = string | RegExp;

export interface TargetOptions {
  /** Weights that are adapted. Default those of all dense layers, projections of attention, convolutions and embeddings. */
  readonly include?: readonly WeightPattern[];
  /** Weights that are not, of those included. Default none. */
  readonly exclude?: readonly WeightPattern[];
}

/**
 * The weights of a model that adapters change. Named ones may stand anywhere (recurrent layers, grouped convolutions).
 *
 * @throws {@link ModelwrightError} `invalid-argument` when there is none.
 */
export function adaptedWeights(model: Model, { include, exclude = [] }: TargetOptions): readonly AdaptedWeight[] {
  const uses = usesOf(model.graph);
  const found = model.parameters.flatMap((parameter): AdaptedWeight[] => {
    const { name, role, value } = parameter;
    if (role !== 'weight' || value.shape.length < 2 || !isFloat(value.dtype)) return [];
    if (include !== undefined && !matches(name, include)) return [];
    if (matches(name, exclude)) return [];
    const target = targetOf(model, parameter, uses.get(value.name) ?? 0);
    if (target.kind !== 'matrix') return [target];
    const { rows, columns } = matrixOf(value.shape.map(Number), target);
    return include === undefined || Math.min(rows, columns) < 2 ? [] : [target];
  });
  if (found.length > 0) return found;
  const allowed = model.parameters.filter(({ value }) => value.shape.length >= 2).map(({ name }) => name);
  throw new ModelwrightError(
    'invalid-argument',
    `addLora: no weight of model '${model.name}' is to be adapted; there are: ${allowed.join(', ') || 'none'}`,
    { given: include?.map(String), allowed },
  );
}

function matches(name: string, patterns: readonly WeightPattern[]): boolean {
  return patterns.some((pattern) =>
    typeof pattern === 'string' ? `.${name}.`.includes(`.${pattern}.`) : pattern.test(name),
  );
}

function usesOf(graph: Graph): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  for (const node of graph.nodes) for (const { name } of valuesReadBy(node)) uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

function targetOf({ graph }: Model, { name, value }: Parameter, uses: number): AdaptedWeight {
  const all = weightedNodes(graph).filter((each) => each.value.name === value.name);
  const kinds = new Set(all.map(({ node }) => kindOf(node, value.shape.length)));
  const [kind = 'matrix'] = kinds;
  const [first] = all;
  // Elsewhere in the graph the weight means something else: it has to change itself.
  if (first === undefined || kinds.size > 1 || kind === 'matrix')
    return { weight: name, kind: 'matrix', beside: false, transposed: false };
  const transposed = kind === 'dense' && first.outputAxis < first.inputAxis;
  return { weight: name, kind, beside: uses === 1 && isPlain(first.node), transposed };
}

function kindOf({ op, attributes }: Node, rank: number): AdaptedKind {
  if (op === 'Gather' && rank === 2) return 'embedding';
  if ((op === 'Gemm' || op === 'MatMul') && rank === 2) return 'dense';
  return op === 'Conv' && (attributes['group'] ?? 1) === 1 ? 'conv' : 'matrix';
}

function isPlain({ op, attributes }: Node): boolean {
  return op !== 'Gemm' || ((attributes['alpha'] ?? 1) === 1 && (attributes['transA'] ?? 0) === 0);
}
