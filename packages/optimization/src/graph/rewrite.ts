import { type Node, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import type { WorkingModel } from './working-model.js';

/** A local change of a graph around one node. */
export interface Rewrite {
  /** The ops of ONNX that it starts at. */
  readonly ops: readonly string[];
  /** Changes the graph if it can. @returns what it did, for counting: `Reshape`, `Relu into Clip`; undefined if nothing. */
  apply(node: Node, editor: GraphEditor, model: WorkingModel): string | undefined;
}

/** Applies rewrites to each node of a model, and of the bodies in it, once. @returns how often what was done. */
export function applyRewrites(model: WorkingModel, rewrites: readonly Rewrite[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  model.edit((editor) => {
    // By their outputs: nodes themselves are replaced as the graph changes.
    for (const output of editor.nodes.map(({ outputs }) => outputs[0] as Value)) {
      for (const rewrite of rewrites) {
        const node = editor.producerOf(output);
        if (node === undefined || node.domain !== '' || !rewrite.ops.includes(node.op)) continue;
        const done = rewrite.apply(node, editor, model);
        if (done !== undefined) counts.set(done, (counts.get(done) ?? 0) + 1);
      }
    }
  });
  return counts;
}

/** Lets who reads a node's output read `value` instead; false where an output of the graph would then not be computed in it. */
export function bypass(editor: GraphEditor, node: Node, value: Value): boolean {
  const output = node.outputs[0] as Value;
  if (editor.isOutput(output) && editor.producerOf(value) === undefined) return false;
  editor.bypass(node, value, output);
  return true;
}

const longestUniform = 1 << 16;

/** The number that a constant has everywhere; undefined for others and for no constants. */
export function uniformNumber(tensor: Tensor | undefined): number | undefined {
  if (tensor === undefined || tensor.dtype === 'string' || tensor.elementCount === 0) return undefined;
  if (tensor.elementCount > longestUniform) return undefined;
  const numbers = toNumbers(tensor);
  return numbers.every((number) => number === numbers[0]) ? numbers[0] : undefined;
}

/** The only number of a constant with one element. */
export function scalarNumber(tensor: Tensor | undefined): number | undefined {
  return tensor?.elementCount === 1 ? uniformNumber(tensor) : undefined;
}

/** The node that makes `value`, if it is `op` of ONNX and nobody else reads what it makes. */
export function soleProducer(editor: GraphEditor, value: Value | undefined, op: string): Node | undefined {
  if (value === undefined || editor.soleReaderOf(value) === undefined) return undefined;
  const node = editor.producerOf(value);
  return node?.op === op && node.domain === '' ? node : undefined;
}

/** Puts another op in the place of a node, with the same outputs. */
export function become(editor: GraphEditor, node: Node, change: Pick<Node, 'op' | 'inputs' | 'attributes'>): void {
  const { name, domain, outputs } = node;
  editor.replace(node, [{ name, domain, outputs, ...change }]);
}
