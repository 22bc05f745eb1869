import {
  decompose,
  eliminateCommonSubexpressions,
  foldConstants,
  type Graph,
  hoistFromScans,
  removeDeadNodes,
  runPasses,
} from '@modelwright/core';
import { assignLayouts } from './assign-layouts.js';
import { fuseKernels } from './fuse-kernels.js';
import { needsDecomposition } from './lower-nodes.js';

/** The graph as the kernels want it: composites taken apart, layouts assigned, what is constant computed. */
export function prepareGraph(graph: Graph, options: { readonly debug?: boolean } = {}): Graph {
  return runPasses(
    graph,
    [
      foldConstants,
      decompose(needsDecomposition),
      hoistFromScans,
      foldConstants,
      assignLayouts,
      foldConstants,
      eliminateCommonSubexpressions,
      removeDeadNodes,
      fuseKernels,
    ],
    options,
  );
}
