import { type Graph, type GraphBuilder, type Node, normalizeAxis, type Value } from '@modelwright/core';

/** The scores from which an output is made: what stands before its softmax or sigmoid. */
export interface Scores {
  readonly value: Value;
  /** `none`: the output itself, which may well be scores. */
  readonly activation: 'softmax' | 'sigmoid' | 'none';
  /** Permutations that bring the scores into the output's layout, in order. */
  readonly layouts: readonly (readonly number[])[];
}

/**
 * Looks behind the last activation of an output for the scores (logits) that went into it. Models of images may end in a
 * change of layout; it is looked through.
 */
export function scoresOf(graph: Graph, output: Value): Scores {
  const makers = new Map<Value, Node>();
  for (const node of graph.nodes) for (const value of node.outputs) makers.set(value, node);
  const own: Scores = { value: output, activation: 'none', layouts: [] };
  return behind(makers, output, output.shape.length - 1) ?? own;
}

function behind(makers: ReadonlyMap<Value, Node>, value: Value, classAxis: number): Scores | undefined {
  const node = makers.get(value);
  const source = node?.inputs[0];
  if (node === undefined || source === undefined || node.domain !== '') return undefined;
  const rank = value.shape.length;
  switch (node.op) {
    case 'Sigmoid':
      return { value: source, activation: 'sigmoid', layouts: [] };
    case 'Softmax': {
      const axis = normalizeAxis(Number(node.attributes['axis'] ?? -1), rank);
      return axis === classAxis ? { value: source, activation: 'softmax', layouts: [] } : undefined;
    }
    case 'Identity':
      return behind(makers, source, classAxis);
    case 'Transpose': {
      const reversed = value.shape.map((_, axis) => rank - 1 - axis);
      const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? reversed;
      const found = behind(makers, source, perm[classAxis] as number);
      return found === undefined ? undefined : { ...found, layouts: [...found.layouts, perm] };
    }
    default:
      return undefined;
  }
}

/** Brings scores into the layout of their output. */
export function inLayout(builder: GraphBuilder, value: Value, layouts: Scores['layouts']): Value {
  return layouts.reduce((current, perm) => builder.op('Transpose', [current], { perm }), value);
}
