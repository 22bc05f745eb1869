import {
  type Bindings,
  copyNode,
  type Graph,
  GraphBuilder,
  inlineGraph,
  Model,
  ModelwrightError,
  type Node,
  removeDeadNodes,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { withGraph } from '../with-graph.js';
import { type AdapterRecord, adapterOf, factorNames, loraKey, loraRecord } from './adapter-record.js';

/**
 * The model without an adapter, or without all of them: as it was before {@link addLora}.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for an adapter that it does not have.
 */
export function removeLora(model: Model, adapter?: string): Model {
  const { adapters, trainable } = loraRecord(model);
  const gone = adapter === undefined ? adapters : [adapterOf(model, adapter)];
  if (gone.length === 0) return model;
  const graph = gone.reduce((current, each) => withoutBranches(model, current, each), model.graph);
  const kept = adapters.filter((each) => !gone.includes(each));
  const { [loraKey]: _, ...metadata } = model.metadata;
  const stripped = withGraph(model, graph);
  const wasTrainable = new Set(trainable);
  const parameters =
    kept.length > 0
      ? stripped.parameters
      : stripped.parameters.map((each) => ({ ...each, trainable: wasTrainable.has(each.name) }));
  return new Model({
    ...{ name: model.name, graph, parameters, layers: stripped.layers, states: stripped.states },
    ...{ losses: stripped.losses, outputMasks: stripped.outputMasks },
    metadata: kept.length === 0 ? metadata : { ...metadata, [loraKey]: JSON.stringify({ trainable, adapters: kept }) },
  });
}

/** An `Add` that brings a change in, and which of its inputs is what was before. */
interface Joint {
  readonly node: Node;
  readonly kept: Value;
}

function withoutBranches(model: Model, graph: Graph, adapter: AdapterRecord): Graph {
  const joints = new Map(
    adapter.weights.map(({ weight }) => {
      const joint = jointOf(model, graph, factorNames(weight, adapter.name).b);
      return [joint.node, joint] as const;
    }),
  );
  // What a layer gives gets back the name that the joint had taken over.
  const names = new Map([...joints.values()].map(({ node, kept }) => [kept, node.outputs[0]?.name as string]));
  const builder = new GraphBuilder(graph.name);
  const bindings: Bindings = new Map();
  for (const input of graph.inputs) bindings.set(input, builder.input(input.name, input.dtype, input.shape));
  const outputs = inlineGraph(builder, graph, bindings, {
    rewrite(node, inputs, _, resolve) {
      const joint = joints.get(node);
      if (joint !== undefined) return [resolve(joint.kept)];
      const [first, ...others] = node.outputs;
      const name = first === undefined ? undefined : names.get(first);
      if (first === undefined || name === undefined) return undefined;
      return copyNode(builder, { ...node, outputs: [{ ...first, name }, ...others] }, inputs, resolve);
    },
  });
  graph.outputs.forEach(({ name }, index) => {
    builder.output(name, outputs[index] as Value);
  });
  return removeDeadNodes.run(builder.build());
}

/** Follows an adapter's `B` to where its change is added. */
function jointOf(model: Model, graph: Graph, factor: string): Joint {
  let value = [...graph.constants.keys()].find(({ name }) => name === factor);
  for (let steps = 0; value !== undefined && steps < 16; steps++) {
    const current: Value = value;
    const node = graph.nodes.find((each) => valuesReadBy(each).includes(current));
    if (node?.op === 'Add') return { node, kept: node.inputs.find((each) => each !== current) as Value };
    value = node?.outputs[0];
  }
  throw new ModelwrightError(
    'invalid-model',
    `model '${model.name}': where '${factor}' is added cannot be found: adapters must be merged before a model is rewritten`,
    { given: factor },
  );
}
