import type { Graph } from '../graph/graph.js';
import type { OpFamily } from './definition.js';
import { pending } from './pending.js';

/** Attributes of the control flow, by op. */
export interface ControlFlowAttributes {
  If: { then_branch: Graph; else_branch: Graph };
  Loop: { body: Graph };
  Scan: {
    body: Graph;
    num_scan_inputs: number;
    scan_input_axes?: readonly number[];
    scan_input_directions?: readonly number[];
    scan_output_axes?: readonly number[];
    scan_output_directions?: readonly number[];
  };
}

/** Control flow. */
export const controlFlow: OpFamily<ControlFlowAttributes> = pending<ControlFlowAttributes>();
