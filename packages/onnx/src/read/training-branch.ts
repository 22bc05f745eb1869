import type { Value } from '@modelwright/core';
import { trainingCondition } from '../own-names.js';
import { invalidModel } from './file-context.js';
import type { GraphImporter } from './import-graph.js';
import { isSourceGraph, type SourceAttribute, type SourceNode } from './source-node.js';

/** Whether a node is an `If` that keeps apart what a model computes when it infers and when it trains. */
export function isTrainingBranch({ op, domain, inputs }: SourceNode): boolean {
  return op === 'If' && domain === '' && inputs[0] === trainingCondition;
}

/** Reads both branches into the graph itself, and a `TrainingSwitch` for each output. */
export function importTrainingBranch(importer: GraphImporter, node: SourceNode): void {
  const training = branchValues(importer, node.attributes['then_branch']);
  const inference = branchValues(importer, node.attributes['else_branch']);
  if (training.length !== node.outputs.length || inference.length !== node.outputs.length)
    throw invalidModel(
      `the branches have ${training.length} and ${inference.length} outputs, not ${node.outputs.length}`,
    );
  node.outputs.forEach((name, index) => {
    if (name === '') return;
    const inputs = [inference[index], training[index]];
    const nodeName = index === 0 ? node.name : `${node.name}/${index}`;
    importer.values.define(name, importer.builder.op('TrainingSwitch', inputs, {}, { nodeName, outputNames: [name] }));
  });
}

function branchValues(importer: GraphImporter, branch: SourceAttribute | undefined): readonly Value[] {
  if (!isSourceGraph(branch)) throw invalidModel('an If needs two branches');
  return importer.importInPlace(branch);
}
