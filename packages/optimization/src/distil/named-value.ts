import { type Model, ModelwrightError, type Value } from '@modelwright/core';

/**
 * What a layer puts out: a value of the graph by its own name, by that of its node, or by that of the layer, whose last
 * node counts.
 *
 * @throws {@link ModelwrightError} `invalid-argument` naming the layers that there are.
 */
export function namedValue(model: Model, name: string): Value {
  const { graph, layers } = model;
  const output = graph.outputs.find((each) => each.name === name)?.value;
  if (output !== undefined) return output;
  for (const { outputs } of graph.nodes) {
    const value = outputs.find((each) => each.name === name);
    if (value !== undefined) return value;
  }
  const within = (node: string): boolean => node === name || node.startsWith(`${name}/`) || node.startsWith(`${name}.`);
  const last = graph.nodes.findLast((node) => within(node.name))?.outputs[0];
  if (last !== undefined) return last;
  const allowed = layers.length > 0 ? layers.map((layer) => layer.name) : graph.nodes.map((node) => node.name);
  throw new ModelwrightError(
    'invalid-argument',
    `model '${model.name}' has no layer '${name}'; it has: ${allowed.slice(0, 40).join(', ')}${allowed.length > 40 ? ', …' : ''}`,
    { given: name, allowed },
  );
}
