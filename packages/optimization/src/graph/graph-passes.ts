import {
  cancelTransposes,
  eliminateCommonSubexpressions,
  foldConstants,
  type Graph,
  type Pass,
  subgraphsOf,
  type Tensor,
  toInference,
  type Value,
} from '@modelwright/core';
import { foldAffine } from './fold-affine.js';
import { foldNormalization } from './fold-batch-normalization.js';
import { foldDerivedConstants, keepsStorage } from './fold-derived-constants.js';
import { foldKnownShapes } from './fold-known-shapes.js';
import { fuseGelu, fuseHardSwish, mergeBounds } from './fuse-activations.js';
import { fuseLayerNormalization } from './fuse-layer-normalization.js';
import { fusePadding } from './fuse-padding.js';
import { fuseGlobalPooling, fuseMatMulAdd, fuseTransposeIntoGemm, trimOutputs } from './fuse-products.js';
import { mergeSlices } from './merge-slices.js';
import { mergeCasts, mergeConcats, mergeViews, transposeToReshape } from './merge-views.js';
import { removeIdleRelu, removeRedundant } from './remove-redundant.js';
import { applyRewrites, type Rewrite } from './rewrite.js';
import { scaleByConvolution } from './scale-by-convolution.js';
import { shareEqualWeights } from './share-weights.js';
import { sinkTransposes } from './sink-transposes.js';
import type { WorkingModel } from './working-model.js';

/**
 * The parts of graph optimization, in the order in which they run. `layout` waits until the others find nothing more: it gives
 * what is left another form.
 */
export const graphPassNames = [
  'inference',
  'constants',
  'redundant',
  'transposes',
  'activations',
  'padding',
  'batchNormalization',
  'affine',
  'products',
  'subexpressions',
  'sharedWeights',
  'layout',
] as const;

export type GraphPassName = (typeof graphPassNames)[number];

/** What a pass did, in words with how often: `Reshape ×3`. */
export type Done = ReadonlyMap<string, number>;

/** What each part does to a model. */
export const graphPasses: { readonly [Name in GraphPassName]: (model: WorkingModel) => Done } = {
  inference: (model) => counted(model, toInference, 'training form'),
  constants: foldAllConstants,
  redundant: rewriting([
    ...[removeRedundant, removeIdleRelu, mergeCasts, mergeViews, mergeConcats, mergeSlices, trimOutputs],
  ]),
  transposes: slideTransposes,
  activations: rewriting([mergeBounds, fuseHardSwish, fuseGelu, fuseLayerNormalization]),
  padding: rewriting([fusePadding]),
  batchNormalization: foldAllNormalization,
  affine: foldAllAffine,
  products: rewriting([fuseMatMulAdd, fuseTransposeIntoGemm, fuseGlobalPooling]),
  subexpressions: (model) => counted(model, eliminateCommonSubexpressions, 'equal nodes'),
  sharedWeights: (model) => tally('equal weights', shareEqualWeights(model)),
  layout: rewriting([transposeToReshape, scaleByConvolution]),
};

function rewriting(rewrites: readonly Rewrite[]): (model: WorkingModel) => Done {
  return (model) => applyRewrites(model, rewrites);
}

function tally(what: string, count: number): Done {
  return count > 0 ? new Map([[what, count]]) : new Map();
}

/** Runs a pass of core and counts the nodes that it spares. */
function counted(model: WorkingModel, pass: Pass, what: string, counts: (op: string) => boolean = () => true): Done {
  const before = countNodes(model.graph, counts);
  model.run(pass);
  return tally(what, before - countNodes(model.graph, counts));
}

function countNodes(graph: Graph, counts: (op: string) => boolean): number {
  return graph.nodes.reduce((sum, node) => {
    const inner = subgraphsOf(node).reduce((total, { graph: body }) => total + countNodes(body, counts), 0);
    return sum + inner + (counts(node.op) ? 1 : 0);
  }, 0);
}

const isTranspose = (op: string): boolean => op === 'Transpose';

/** Longer constants are folded where their parameters are known. */
const longestShape = 64;

function foldAllConstants(model: WorkingModel): Done {
  const before = countNodes(model.graph, () => true);
  const stored = new Set<Value>();
  for (const node of model.graph.nodes) {
    if (keepsStorage(node)) for (const input of node.inputs) if (input !== undefined) stored.add(input);
  }
  model.run(foldKnownShapes);
  model.run(
    foldConstants,
    (value: Value, { elementCount }: Tensor) => elementCount > longestShape || stored.has(value),
  );
  foldDerivedConstants(model);
  return tally('nodes computed ahead', before - countNodes(model.graph, () => true));
}

// Constants that a transpose slid past are reshaped.
function slideTransposes(model: WorkingModel): Done {
  const sunk = applyRewrites(model, [sinkTransposes]);
  const done = counted(model, cancelTransposes, 'Transpose', isTranspose);
  foldDerivedConstants(model);
  return new Map([...sunk, ...done]);
}

function foldAllNormalization(model: WorkingModel): Done {
  const done = foldNormalization(model);
  return done === undefined ? new Map() : new Map([[done, 1]]);
}

function foldAllAffine(model: WorkingModel): Done {
  const { upwards, downwards } = foldAffine(model);
  return new Map([...tally('into what is before', upwards), ...tally('into what is behind', downwards)]);
}
