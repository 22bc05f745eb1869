import {
  type Model,
  type Pass,
  rebuildGraph,
  type Specialization,
  specialize,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { type CheckOptions, checkOutputs } from './check-outputs.js';
import { notesOnNormalization } from './fold-batch-normalization.js';
import { type Done, type GraphPassName, graphPasses, graphPassNames } from './graph-passes.js';
import { WorkingModel } from './working-model.js';

export interface OptimizeGraphOptions {
  /** Passes to leave out. Default none. */
  readonly skip?: readonly GraphPassName[];
  /** Outputs that are wanted; what only others need is taken out. Default all. */
  readonly outputs?: readonly string[];
  /** Shapes that the model is to run with, where it leaves them open: `{ dimensions: { batch: 1 } }`. Default they stay open. */
  readonly shapes?: Specialization;
  /** Runs the model before and after, and throws where an output differs. Default not. */
  readonly check?: CheckOptions;
  /** Is told what each pass did, in words. */
  readonly onNote?: (note: string) => void;
}

/** Later passes find what earlier ones made possible; each round shrinks the graph, so that few are needed. */
const mostRounds = 8;

/**
 * Rewrites the graph of a model, ours or an imported one, into a smaller one that computes the same: what is constant is computed,
 * what changes nothing is gone, normalization and scaling are part of the weights next to them, and ops are in the forms that runtimes fuse.
 * The result is meant to infer with: dropout is gone. Parameters keep their names; a layer that had no bias may have one.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an output that the model has not; `value-out-of-range` naming the output which
 * `check` found to differ.
 * @example
 * const small = await optimizeGraph(model, { check: { backend }, onNote: console.log });
 */
export async function optimizeGraph(model: Model, options: OptimizeGraphOptions = {}): Promise<Model> {
  const result = rewriteGraph(model, options);
  if (options.check !== undefined) options.onNote?.(await checkOutputs(model, result, options.check));
  return result;
}

function rewriteGraph(model: Model, { skip = [], outputs, shapes, onNote }: OptimizeGraphOptions): Model {
  const working = new WorkingModel(model);
  const before = working.graph.nodes.length;
  if (outputs !== undefined) working.keepOutputs(outputs);
  if (shapes !== undefined) working.run(specialized(shapes));
  const total = new Map<GraphPassName, Map<string, number>>();
  const run = (name: GraphPassName): boolean => !skip.includes(name) && add(total, name, graphPasses[name](working));
  const early = graphPassNames.filter((name) => name !== 'layout');
  for (let round = 0; round < mostRounds; round++) {
    const done = early.map(run);
    if (!done.some((changed) => changed) && !run('layout')) break;
  }
  working.run(inferShapes);
  for (const [name, counts] of total) onNote?.(`${name}: ${describe(counts)}`);
  for (const note of notesOnNormalization(working)) onNote?.(note);
  const result = working.finish();
  for (const name of idleInputs(result)) onNote?.(`input '${name}' has no effect on the outputs`);
  onNote?.(`${before} nodes before, ${result.graph.nodes.length} after`);
  return result;
}

function idleInputs({ graph, losses, states, outputMasks }: Model): readonly string[] {
  const read = new Set<Value>(graph.nodes.flatMap(valuesReadBy));
  for (const { value } of [...graph.outputs, ...losses]) read.add(value);
  for (const { next } of states) read.add(next);
  for (const mask of outputMasks.values()) read.add(mask);
  return graph.inputs.filter((input) => !read.has(input)).map(({ name }) => name);
}

const inferShapes: Pass = {
  name: 'inferShapes',
  description: 'infers the shape of every value anew',
  run: (graph) => rebuildGraph(graph).graph,
};

function specialized(shapes: Specialization): Pass {
  return { name: 'specialize', description: 'fixes symbolic axes', run: (graph) => specialize(graph, shapes) };
}

/** @returns whether the pass changed anything. */
function add(total: Map<GraphPassName, Map<string, number>>, name: GraphPassName, done: Done): boolean {
  if (done.size === 0) return false;
  const counts = total.get(name) ?? new Map<string, number>();
  for (const [what, count] of done) counts.set(what, (counts.get(what) ?? 0) + count);
  total.set(name, counts);
  return true;
}

function describe(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => (count === 1 ? what : `${what} ×${count}`)).join(', ');
}
