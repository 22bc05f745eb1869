import {
  capturesOf,
  castTensor,
  type DType,
  evaluateNodeOn,
  type Graph,
  isForeign,
  ModelwrightError,
  type Node,
  type Shape,
  subgraphsOf,
  type Tensor,
  type Value,
  valuesReadBy,
  zeros,
} from '@modelwright/core';
import { Held } from '../device/held.js';
import type { Kernels } from '../device/kernels.js';
import { imageKernels } from '../lowering/image-kernels.js';
import { kernelDomain, type NodeOf, type Step } from '../lowering/lowering.js';
import { loweringOf } from '../prepare/lower-nodes.js';

/** One node of a plan. Numbers are places in the frame. */
export interface PlanStep {
  readonly node: Node;
  /** Undefined for nodes that run subgraphs. */
  readonly step: Step | undefined;
  /** The same on the host: for inputs without elements, which kernels do not take. */
  readonly onHost: Step;
  readonly inputs: readonly (number | undefined)[];
  readonly outputs: readonly { readonly place: number; readonly dtype: DType; readonly shape: Shape }[];
  readonly subgraphs: readonly { readonly attribute: string; readonly plan: Plan }[];
  /** Places whose values nobody reads any more. */
  readonly freed: readonly number[];
}

/** A graph ready to run: its values by place, what is freed when. */
export interface Plan {
  readonly name: string;
  readonly placeCount: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly { readonly name: string; readonly place: number; readonly dtype: DType }[];
  readonly constants: readonly { readonly place: number; readonly held: Held }[];
  /** Values of the graph around this one: its place there, and here. */
  readonly captures: readonly { readonly outer: number; readonly place: number }[];
  readonly steps: readonly PlanStep[];
}

/** Orders the work of a prepared graph and decides when each value is freed. */
export function compilePlan(graph: Graph, kernels: Kernels, outer?: ReadonlyMap<Value, number>): Plan {
  const places = new Map<Value, number>();
  const placeOf = (value: Value): number => {
    const known = places.get(value);
    if (known !== undefined) return known;
    places.set(value, places.size);
    return places.size - 1;
  };
  const inputs = graph.inputs.map(placeOf);
  const constants = [...graph.constants].map(([value, tensor]) => ({
    place: placeOf(value),
    held: new Held(kernels, tensor.dtype, tensor),
  }));
  const captures = [...(outer === undefined ? [] : capturesOf(graph))].map((value) => ({
    outer: outer?.get(value) as number,
    place: placeOf(value),
  }));
  const lastUses = findLastUses(graph);
  const steps = graph.nodes.map((node, index): PlanStep => {
    const taken = node.inputs.map((input) => (input === undefined ? undefined : placeOf(input)));
    for (const value of valuesReadBy(node)) placeOf(value);
    return {
      node,
      step: stepOf(node),
      onHost: node.domain === kernelDomain ? emptyStep(node) : hostStep(node),
      inputs: taken,
      outputs: node.outputs.map((value) => ({ place: placeOf(value), dtype: value.dtype, shape: value.shape })),
      subgraphs: subgraphsOf(node).map(({ attribute, graph: inner }) => ({
        attribute,
        plan: compilePlan(inner, kernels, places),
      })),
      freed: (lastUses.get(index) ?? []).map(placeOf),
    };
  });
  const outputs = graph.outputs.map(({ name, value }) => ({ name, place: placeOf(value), dtype: value.dtype }));
  return { name: graph.name, placeCount: places.size, inputs, outputs, constants, captures, steps };
}

/** Frees the constants of a plan. */
export function disposePlan(plan: Plan): void {
  for (const { held } of plan.constants) held.release();
  for (const { subgraphs } of plan.steps) for (const { plan: inner } of subgraphs) disposePlan(inner);
}

/** For each node, the values that are read or made there for the last time. Results of the graph are kept. */
function findLastUses(graph: Graph): ReadonlyMap<number, readonly Value[]> {
  const last = new Map<Value, number>();
  for (const [index, node] of graph.nodes.entries()) {
    for (const value of [...valuesReadBy(node), ...node.outputs]) last.set(value, index);
  }
  for (const { value } of graph.outputs) last.delete(value);
  const freed = new Map<number, Value[]>();
  for (const [value, index] of last) {
    if (graph.constants.has(value)) continue;
    const list = freed.get(index) ?? [];
    list.push(value);
    freed.set(index, list);
  }
  return freed;
}

function stepOf(node: Node): Step | undefined {
  if (node.domain === kernelDomain) return imageKernels[node.op]?.(node);
  const lowering = loweringOf(node);
  if (lowering === undefined || isForeign(node)) {
    const name = `${node.domain || 'ai.onnx'}:${node.op}`;
    throw new ModelwrightError('unsupported-op', `the tfjs backend has no op '${name}' (node '${node.name}')`, {
      op: node.op,
      layer: node.name,
    });
  }
  if (lowering === 'decompose' || lowering.kind === 'host' || lowering.kind === 'image') return hostStep(node);
  if (lowering.kind === 'control-flow') return undefined;
  if (lowering.kind === 'unsupported') {
    throw new ModelwrightError('unsupported-op', `${node.op} '${node.name}': ${lowering.reason}`, {
      op: node.op,
      layer: node.name,
    });
  }
  return lowering.compile(node as NodeOf<never>) ?? hostStep(node);
}

/** The node computed by core's reference. */
function hostStep(node: Node): Step {
  return (scope) => {
    const results = evaluateNodeOn(
      node,
      scope.inputs.map((input) => input?.host()),
    );
    return node.outputs.map(({ dtype }, index) => castTensor(results[index] as Tensor, dtype));
  };
}

/** A kernel node for inputs without elements: only a product still has a result, its bias. */
function emptyStep(node: Node): Step {
  return (scope) => {
    const tensors = scope.inputs.map((input) => input?.host());
    if (node.op === 'FusedMatMul') return emptyProduct(node, tensors);
    const output = node.outputs[0] as Value;
    return zeros(
      output.dtype,
      output.shape.map((extent) => (typeof extent === 'number' ? extent : 0)),
    );
  };
}

function emptyProduct(node: Node, [a, b, bias]: readonly (Tensor | undefined)[]): Tensor {
  const apply = (op: string, inputs: readonly (Tensor | undefined)[]): Tensor =>
    evaluateNodeOn({ ...node, op, domain: '', attributes: {} }, inputs)[0] as Tensor;
  const sum = apply('Add', [apply('MatMul', [a, b]), bias]);
  return castTensor(node.attributes['activation'] === 'relu' ? apply('Relu', [sum]) : sum, 'float32');
}
