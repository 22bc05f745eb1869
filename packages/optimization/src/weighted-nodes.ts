import type { Graph, Node, Tensor, Value } from '@modelwright/core';

/** A node that multiplies what flows by a weight which the model holds. */
export interface WeightedNode {
  readonly node: Node;
  /** The weight: a constant of the graph. */
  readonly value: Value;
  readonly weight: Tensor;
  /** Its position among the node's inputs. */
  readonly input: number;
  /** The axis of the weight that counts what the node puts out. */
  readonly outputAxis: number;
  /** The axis that is summed over; of a convolution its channels, next to the kernel's own axes. */
  readonly inputAxis: number;
}

/**
 * The nodes of a graph that hold most of its weights and most of its work, in order: convolutions, `Gemm`, `MatMul` with
 * a constant on the right, embeddings (`Gather` of a constant matrix) and recurrent ops (their input and recurrent
 * weights each by itself). Bodies of loops and branches are not looked into. A weight that is rounded for training counts as the
 * constant that it is made of.
 */
export function weightedNodes(graph: Graph): readonly WeightedNode[] {
  const beforeRounding = unrounded(graph);
  return graph.nodes.flatMap((node) => {
    if (node.domain !== '') return [];
    return placesOf(node).flatMap(({ input, outputAxis, inputAxis }) => {
      const given = node.inputs[input];
      const value = given && beforeRounding(given);
      const weight = value === undefined ? undefined : graph.constants.get(value);
      if (value === undefined || weight === undefined || weight.rank < 2) return [];
      return [{ node, value, weight, input, outputAxis, inputAxis }];
    });
  });
}

const passingOps: ReadonlySet<string> = new Set(['TrainingSwitch', 'Mul', 'FakeQuantize']);

/** Looks through the rounding of weights, and through the scale of a normalization that is folded into them. */
function unrounded(graph: Graph): (value: Value) => Value {
  if (!graph.nodes.some(({ op }) => op === 'FakeQuantize')) return (value) => value;
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  return (value) => {
    let [current, isRounded] = [value, false];
    for (let node = producers.get(value); node !== undefined; node = producers.get(current)) {
      if (!passingOps.has(node.op)) return value;
      if (node.op === 'FakeQuantize') isRounded = true;
      current = node.inputs[0] as Value;
    }
    return isRounded ? current : value;
  };
}

type Place = Pick<WeightedNode, 'input' | 'outputAxis' | 'inputAxis'>;

function placesOf(node: Node): readonly Place[] {
  switch (node.op) {
    case 'Conv':
      return [{ input: 1, outputAxis: 0, inputAxis: 1 }];
    case 'ConvTranspose':
      return [{ input: 1, outputAxis: 1, inputAxis: 0 }];
    case 'Gemm': {
      const outputAxis = node.attributes['transB'] === 1 ? 0 : 1;
      return [{ input: 1, outputAxis, inputAxis: 1 - outputAxis }];
    }
    case 'MatMul': {
      const rank = node.inputs[1]?.shape.length ?? 0;
      return [{ input: 1, outputAxis: rank - 1, inputAxis: rank - 2 }];
    }
    case 'Gather':
      return node.attributes['axis'] === undefined || node.attributes['axis'] === 0
        ? [{ input: 0, outputAxis: 1, inputAxis: 0 }]
        : [];
    case 'RNN':
    case 'LSTM':
    case 'GRU':
      return [1, 2].map((input) => ({ input, outputAxis: 1, inputAxis: 2 }));
    default:
      return [];
  }
}
