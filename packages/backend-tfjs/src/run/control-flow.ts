import {
  castTensor,
  evaluateNodeOn,
  ModelwrightError,
  type Node,
  type OpAttributes,
  type Tensor,
  tensor,
  type Value,
  zeros,
} from '@modelwright/core';
import { deviceDTypeOf, Held } from '../device/held.js';
import { NodeScope } from './node-scope.js';
import type { RunContext } from './run-plan.js';
import { concatenated, SequenceWriter, sliced } from './sequences.js';

/** What a node with subgraphs runs on. The caller keeps its references to the values. */
export interface ControlFlowRequest {
  readonly context: RunContext;
  readonly values: readonly (Held | undefined)[];
  /** Runs the subgraph of this attribute; the results are owned by whoever asks. */
  readonly run: (attribute: string, inputs: readonly Held[]) => readonly Held[];
}

// No graph of ours means more; without it a hostile one would run for ever.
const mostIterations = 2 ** 24;

/** Runs `If`, `Loop` or `Scan`. */
export function runControlFlow(node: Node, request: ControlFlowRequest): readonly Held[] {
  if (node.op === 'If') {
    const [condition] = request.values as [Held];
    return request.run(condition.numbers()[0] ? 'then_branch' : 'else_branch', []);
  }
  return node.op === 'Loop' ? runLoop(node, request) : runScan(node, request);
}

function runLoop(node: Node, request: ControlFlowRequest): readonly Held[] {
  const { context, values, run } = request;
  const [limitInput, conditionInput, ...initial] = values as [Held | undefined, Held | undefined, ...Held[]];
  const limit = limitInput?.numbers()[0] ?? Number.POSITIVE_INFINITY;
  let carried: readonly Held[] = initial.map((held) => held.retain());
  let goesOn = conditionInput === undefined || conditionInput.numbers()[0] !== 0;
  const made: (readonly Held[])[] = [];
  for (let step = 0; step < limit && goesOn; step++) {
    if (step >= mostIterations) {
      throw new ModelwrightError('limit-exceeded', `Loop '${node.name}' goes on beyond ${mostIterations} iterations`, {
        layer: node.name,
        allowed: mostIterations,
      });
    }
    const count = new Held(context.kernels, 'int64', tensor(BigInt(step), { dtype: 'int64', shape: [] }));
    const holds = new Held(context.kernels, 'bool', tensor(true, { dtype: 'bool', shape: [] }));
    const [next, ...results] = run('body', [count, holds, ...carried]) as [Held, ...Held[]];
    for (const held of [count, holds, ...carried]) held.release();
    goesOn = next.numbers()[0] !== 0;
    next.release();
    carried = results.slice(0, initial.length);
    made.push(results.slice(initial.length));
  }
  return [...carried, ...stackAll(node.outputs.slice(initial.length), context, made)];
}

type ScanAttributes = OpAttributes['Scan'];

function runScan(node: Node, request: ControlFlowRequest): readonly Held[] {
  const { context, run } = request;
  const values = request.values as readonly Held[];
  const attributes = node.attributes as unknown as ScanAttributes;
  const { num_scan_inputs: count, scan_input_axes: axes, scan_input_directions: directions } = attributes;
  const stateCount = values.length - count;
  const sequences = values.slice(stateCount);
  const axisOf = (index: number): number => {
    const axis = axes?.[index] ?? 0;
    return axis < 0 ? axis + (sequences[index] as Held).shape.length : axis;
  };
  const length = sequences[0]?.shape[axisOf(0)] ?? 0;
  let states: readonly Held[] = values.slice(0, stateCount).map((held) => held.retain());
  const parts = sequences.map((sequence, index) => new SequenceReader(context, sequence, axisOf(index)));
  const writers = node.outputs.slice(stateCount).map((output) => new SequenceWriter(context, output.dtype, length));
  const outputPlace = (index: number, step: number): number =>
    attributes.scan_output_directions?.[index] === 1 ? length - 1 - step : step;
  for (let step = 0; step < length; step++) {
    const slices = parts.map((part, index) => part.at(directions?.[index] === 1 ? length - 1 - step : step));
    const results = run('body', [...states, ...slices]);
    for (const held of [...states, ...slices]) held.release();
    states = results.slice(0, stateCount);
    for (const [index, writer] of writers.entries()) {
      writer.put(outputPlace(index, step), results[stateCount + index] as Held);
    }
  }
  for (const part of parts) part.release();
  const stacked = writers.map((writer, index) => {
    const { shape } = node.outputs[stateCount + index] as Node['outputs'][number];
    const axis = attributes.scan_output_axes?.[index] ?? 0;
    return alongAxis(
      context,
      writer.finish() ?? emptyOf(context, node.outputs[stateCount + index] as Value),
      axis,
      shape.length,
    );
  });
  return [...states, ...stacked];
}

/** Steps of a sequence, one after another. */
class SequenceReader {
  readonly #context: RunContext;
  readonly #axis: number;
  readonly #sequence: Held;
  readonly #owned: Held | undefined;

  constructor(context: RunContext, sequence: Held, axis: number) {
    this.#context = context;
    this.#axis = axis;
    this.#owned = axis === 0 ? undefined : this.#stepsFirst(sequence);
    this.#sequence = this.#owned ?? sequence;
  }

  at(step: number): Held {
    return sliced(this.#context, this.#sequence, step);
  }

  release(): void {
    this.#owned?.release();
  }

  /** The sequence with its steps along the first axis, so that each lies in one piece. */
  #stepsFirst(sequence: Held): Held | undefined {
    const rest = sequence.shape.map((_, axis) => axis).filter((axis) => axis !== this.#axis);
    return transposedHeld(this.#context, sequence, [this.#axis, ...rest]);
  }
}

function transposedHeld(context: RunContext, held: Held, perm: readonly number[]): Held {
  if (deviceDTypeOf(held.dtype) !== held.dtype) return transposedOnHost(context, held, perm);
  const scope = new NodeScope(context.kernels, context.scalars, [held]);
  try {
    const turned = scope.run('Transpose', { x: scope.device(0) }, { perm: [...perm] });
    scope.keep(turned);
    return new Held(context.kernels, held.dtype, turned);
  } finally {
    scope.end();
  }
}

function transposedOnHost(context: RunContext, held: Held, perm: readonly number[]): Held {
  const node = { op: 'Transpose', domain: '', name: 'Transpose', attributes: { perm }, inputs: [], outputs: [] };
  const [turned] = evaluateNodeOn(node, [held.host()]);
  return new Held(context.kernels, held.dtype, castTensor(turned as Tensor, held.dtype));
}

/** What steps make, along the axis where a scan wants it. */
function alongAxis(context: RunContext, stacked: Held, given: number, rank: number): Held {
  const axis = (given + rank) % rank;
  if (axis === 0 || stacked.shape[0] === 0) return stacked;
  const perm = Array.from({ length: rank - 1 }, (_, at) => at + 1).toSpliced(axis, 0, 0);
  const turned = transposedHeld(context, stacked, perm);
  stacked.release();
  return turned;
}

function emptyOf({ kernels }: RunContext, { dtype, shape }: Value): Held {
  const extents = shape.map((extent) => (typeof extent === 'number' ? extent : 0));
  return new Held(kernels, dtype, zeros(dtype, extents));
}

/** The stacked outputs of a loop. */
function stackAll(outputs: readonly Value[], context: RunContext, made: readonly (readonly Held[])[]): readonly Held[] {
  return outputs.map((output, index) => {
    const parts = made.map((step) => step[index] as Held);
    if (parts.length === 0) return emptyOf(context, output);
    const stacked = concatenated(context, parts);
    for (const part of parts) part.release();
    return stacked;
  });
}
