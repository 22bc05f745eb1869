import type { Graph } from './graph/graph.js';
import type { Tensor } from './tensor/tensor.js';

/** A value carried from run to run: `output` of one run is `input` of the next. */
export interface StateSlot {
  readonly name: string;
  /** Name of the graph input that takes the state. */
  readonly input: string;
  /** Name of the graph output that gives the next state. Without it the slot never changes by itself. */
  readonly output?: string;
  readonly initial: Tensor;
}

/** A graph plus the values carried from run to run. Inference, training and decoding are all programs. */
export interface Program {
  readonly graph: Graph;
  readonly state: readonly StateSlot[];
}
