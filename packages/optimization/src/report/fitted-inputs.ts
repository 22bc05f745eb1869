import { castTensor, type Graph, type Tensor, type TensorMap } from '@modelwright/core';

/** The inputs that a graph has, in its dtypes: a step may have narrowed them. */
export function fittedTo(graph: Graph, inputs: TensorMap): TensorMap {
  const known = graph.inputs.flatMap(({ name, dtype }): [string, Tensor][] => {
    const tensor = inputs[name];
    return tensor === undefined ? [] : [[name, castTensor(tensor, dtype)]];
  });
  return Object.fromEntries(known);
}
