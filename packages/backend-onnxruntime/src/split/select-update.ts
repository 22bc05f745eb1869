import {
  type DType,
  type Graph,
  isConcrete,
  type Node,
  type Program,
  type Value,
  valuesReadBy,
} from '@modelwright/core';
import { scalarRules } from './scalar-ops.js';
import { aliasOps, foldableExponents, laneRules } from './vector-ops.js';

/** Element types that numbers of the scalar part stand for exactly (integers up to 2⁵³). */
const scalarTypes: ReadonlySet<DType> = new Set(['float32', 'float64', 'int32', 'int64', 'bool']);

/** @returns number of elements, `undefined` where an extent is symbolic. */
export function countOf(value: Value): number | undefined {
  return isConcrete(value.shape) ? value.shape.reduce((product, extent) => product * extent, 1) : undefined;
}

/** @returns whether the value is one number. */
export function isScalar(value: Value): boolean {
  return countOf(value) === 1;
}

/**
 * Selects the nodes that may leave the graph: those that only state outputs depend on, that are elementwise, and whose operands are
 * of one shape or single numbers. The set is maximal and closed: no node outside of it reads a value made inside.
 */
export function selectUpdate(program: Program): ReadonlySet<Node> {
  const { graph } = program;
  const carried = new Set(program.state.map(({ output }) => output));
  const fetched = new Set(graph.outputs.filter(({ name }) => !carried.has(name)).map(({ value }) => value));
  const selected = new Set(graph.nodes.filter((node) => isComputable(node, graph)));
  const readers = readersOf(graph);
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output): [Value, Node] => [output, node])));
  const mayStay = (node: Node): boolean => {
    if (node.outputs.some((output) => fetched.has(output) || !isUsefulOutput(output))) return false;
    if (node.outputs.some((output) => (readers.get(output) ?? []).some((reader) => !selected.has(reader))))
      return false;
    // A mask is no memory the pass could read; whoever needs it must have it made inside.
    return node.inputs.every((input) => !isMask(input) || selected.has(makers.get(input as Value) as Node));
  };
  for (let before = -1; before !== selected.size; ) {
    before = selected.size;
    for (const node of [...graph.nodes].reverse()) if (selected.has(node) && !mayStay(node)) selected.delete(node);
  }
  return selected;
}

function isUsefulOutput(output: Value): boolean {
  return countOf(output) !== undefined;
}

function isMask(input: Value | undefined): boolean {
  return input !== undefined && input.dtype === 'bool' && !isScalar(input);
}

function readersOf(graph: Graph): ReadonlyMap<Value, readonly Node[]> {
  const readers = new Map<Value, Node[]>();
  for (const node of graph.nodes)
    for (const value of valuesReadBy(node)) {
      const known = readers.get(value);
      if (known === undefined) readers.set(value, [node]);
      else known.push(node);
    }
  return readers;
}

function isComputable(node: Node, graph: Graph): boolean {
  const [output] = node.outputs;
  if (output === undefined || node.outputs.length !== 1) return false;
  if (isScalar(output)) return isScalarNode(node, output);
  return isVectorNode(node, { output, graph });
}

function isScalarNode(node: Node, output: Value): boolean {
  const operands = dataInputs(node);
  if (node.op !== 'Cast' && !Object.hasOwn(scalarRules, node.op)) return false;
  return [output, ...operands].every((value) => isScalar(value) && scalarTypes.has(value.dtype));
}

function isVectorNode(node: Node, { output, graph }: { output: Value; graph: Graph }): boolean {
  if (!Object.hasOwn(laneRules, node.op) && !aliasOps.has(node.op)) return false;
  if (output.dtype !== 'float32' && output.dtype !== 'bool') return false;
  if (node.op === 'Cast') return node.inputs[0]?.dtype === 'bool' && output.dtype === 'float32';
  if (node.op === 'Pow' && !foldableExponents.includes(exponentOf(node, graph))) return false;
  const count = countOf(output);
  return dataInputs(node).every((input) => {
    // Comparing integers, or truth with truth, is not what the float32 lanes do.
    const fits = input.dtype === 'float32' || (input.dtype === 'bool' && takesMasks(node));
    return fits && (countOf(input) === count || isScalar(input));
  });
}

function takesMasks(node: Node): boolean {
  return ['Where', 'And', 'Or', 'Xor', 'Not'].includes(node.op) || aliasOps.has(node.op);
}

function exponentOf(node: Node, graph: Graph): number {
  const exponent = graph.constants.get(node.inputs[1] as Value);
  return exponent?.elementCount === 1 ? Number(exponent.data[0]) : Number.NaN;
}

/** The inputs whose elements matter; shapes and axes of movement ops do not. */
export function operandsOf(node: Node): readonly (Value | undefined)[] {
  return aliasOps.has(node.op) ? node.inputs.slice(0, 1) : node.inputs;
}

/** As {@link operandsOf} without the optional ones that are left out. */
export function dataInputs(node: Node): readonly Value[] {
  return operandsOf(node).filter((input): input is Value => input !== undefined);
}
