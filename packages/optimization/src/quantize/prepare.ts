import {
  cancelTransposes,
  type Graph,
  type Model,
  removeDeadNodes,
  runPasses,
  type Tensor,
  toInference,
  type Value,
} from '@modelwright/core';
import { withGraph } from '../with-graph.js';

/** The model as it infers: modes resolved, layout changes that undo each other gone. What is quantized is what will run. */
export function inferenceForm(model: Model): Model {
  return withGraph(model, runPasses(model.graph, [toInference, cancelTransposes, removeDeadNodes]));
}

/** The same model with other values of some constants. */
export function withConstants(model: Model, replaced: ReadonlyMap<Value, Tensor>): Model {
  if (replaced.size === 0) return model;
  const constants = new Map([...model.graph.constants].map(([value, held]) => [value, replaced.get(value) ?? held]));
  return withGraph(model, { ...model.graph, constants } satisfies Graph);
}
