import {
  castTensor,
  definitionOf,
  dtypeFacts,
  evaluateNodeOn,
  type Node,
  subgraphsOf,
  type Tensor,
  type Value,
} from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import type { WorkingModel } from './working-model.js';

/** Bytes by which a constant may outgrow what it is made of. */
const largestGrowthBytes = 1 << 14;

const storage = new Set([
  'DequantizeLinear',
  'QuantizeLinear',
  'DynamicQuantizeLinear',
  'CounterUniform',
  'StopGradient',
]);

/**
 * Computes what depends on constants only, weights included: a kernel that is transposed or reshaped each time is stored in that form,
 * and stays the parameter it was.
 *
 * @returns how many nodes that spares.
 */
export function foldDerivedConstants(model: WorkingModel): number {
  let count = 0;
  model.edit((editor) => {
    for (const node of editor.nodes) if (foldNode(model, editor, node)) count++;
  });
  return count;
}

/** Whether a node reads what is stored small on purpose and is not to be made large again, or means more than its value. */
export function keepsStorage({ op }: Node): boolean {
  return storage.has(op);
}

function foldNode(model: WorkingModel, editor: GraphEditor, node: Node): boolean {
  const definition = definitionOf(node);
  if (definition === undefined || definition.random || keepsStorage(node) || subgraphsOf(node).length > 0) return false;
  const held = node.inputs.map((input) => editor.constantOf(input));
  if (held.length === 0 || held.some((tensor, index) => tensor === undefined && node.inputs[index] !== undefined))
    return false;
  // What others read as it is would be there twice, and no longer be trained as one.
  const isShared = (input: Value | undefined, at: number): boolean =>
    input !== undefined &&
    editor.readersOf(input).length > 1 &&
    (model.originOf(input) !== undefined || bytesOf(held[at] as Tensor) > largestGrowthBytes);
  if (node.inputs.some(isShared)) return false;
  const given = held.reduce((sum, tensor) => sum + (tensor === undefined ? 0 : bytesOf(tensor)), 0);
  if (declaredBytes(node) > given + largestGrowthBytes) return false;
  const results = evaluateNodeOn(node, held).map((tensor, index) =>
    castTensor(tensor, (node.outputs[index] as Value).dtype),
  );
  if (results.reduce((sum, tensor) => sum + bytesOf(tensor), 0) > given + largestGrowthBytes) return false;
  const from = sourceOf(model, node);
  editor.replace(node, []);
  node.outputs.forEach((output, index) => {
    const tensor = results[index] as Tensor;
    const isWeight = from !== undefined && index === 0 && output.dtype === from.dtype;
    editor.redirect(output, isWeight ? model.derive(editor, from, tensor) : editor.addConstant(output.name, tensor));
  });
  return true;
}

/** The parameter that a folded node makes something of: the largest, where there are several. */
function sourceOf(model: WorkingModel, node: Node): Value | undefined {
  const parameters = node.inputs.filter(
    (input): input is Value => input !== undefined && model.originOf(input) !== undefined,
  );
  const count = ({ shape }: Value): number => shape.reduce<number>((product, extent) => product * Number(extent), 1);
  return parameters.sort((a, b) => count(b) - count(a))[0];
}

function bytesOf({ dtype, elementCount }: Tensor): number {
  return (elementCount * dtypeFacts[dtype].bits) / 8;
}

function declaredBytes({ outputs }: Node): number {
  return outputs.reduce((sum, { dtype, shape }) => {
    const count = shape.reduce<number>((product, extent) => product * (typeof extent === 'number' ? extent : 0), 1);
    return sum + (count * dtypeFacts[dtype].bits) / 8;
  }, 0);
}
