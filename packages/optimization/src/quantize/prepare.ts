import {
  cancelTransposes,
  type Model,
  removeDeadNodes,
  runPasses,
  type Tensor,
  toInference,
  type Value,
} from '@modelwright/core';
import { foldBatchNormalization } from '../graph/fold-batch-normalization.js';
import { pinnedGraph, unpinned } from './pinned-graph.js';
import { affineAsConvolution } from './static/affine-convolutions.js';

/** The model as it infers: modes resolved, layout changes that undo each other gone. What is quantized is what will run. */
export function inferenceForm(model: Model): Model {
  return unpinned(model, runPasses(pinnedGraph(model), [toInference, cancelTransposes, removeDeadNodes]));
}

/**
 * As {@link inferenceForm}, with `BatchNormalization` in the weights next to it, or as a convolution of single places where there are none:
 * it has no integer form of its own.
 */
export function integerReadyForm(model: Model): Model {
  const prepared = inferenceForm(model);
  if (!prepared.graph.nodes.some(({ op }) => op === 'BatchNormalization')) return prepared;
  const folded = foldBatchNormalization(prepared);
  return unpinned(folded, affineAsConvolution(pinnedGraph(folded)));
}

/** The same model with other values of some constants. */
export function withConstants(model: Model, replaced: ReadonlyMap<Value, Tensor>): Model {
  if (replaced.size === 0) return model;
  const constants = new Map([...model.graph.constants].map(([value, held]) => [value, replaced.get(value) ?? held]));
  return unpinned(model, { ...pinnedGraph(model), constants });
}
