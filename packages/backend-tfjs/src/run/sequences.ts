import { allocateData, Tensor } from '@modelwright/core';
import { deviceDTypeOf, Held } from '../device/held.js';
import type { DeviceDType, TensorInfo } from '../device/tfjs-core.js';
import { countOf } from '../lowering/lowering.js';
import { NodeScope } from './node-scope.js';
import type { RunContext } from './run-plan.js';

const onDevice: ReadonlySet<string> = new Set(['float32', 'int32', 'bool']);

/** One step of a sequence whose steps lie along the first axis. */
export function sliced(context: RunContext, sequence: Held, step: number): Held {
  const shape = sequence.shape.slice(1);
  const count = countOf(shape);
  if (!onDevice.has(sequence.dtype) || count === 0) {
    const { dtype, data } = sequence.host();
    return new Held(
      context.kernels,
      dtype,
      new Tensor(dtype, shape, data.slice(step * count, (step + 1) * count) as never),
    );
  }
  const scope = new NodeScope(context.kernels, context.scalars, [sequence]);
  try {
    const result = rowOf(scope, { step, count, shape });
    scope.keep(result);
    return new Held(context.kernels, sequence.dtype, result);
  } finally {
    scope.end();
  }
}

function rowOf(
  scope: NodeScope,
  row: { readonly step: number; readonly count: number; readonly shape: readonly number[] },
): TensorInfo {
  const { step, count, shape } = row;
  const sequence = scope.device(0);
  if (scope.memory === undefined) {
    const rows = scope.reshape(sequence, [sequence.shape[0] as number, count]);
    return scope.reshape(scope.run('Slice', { x: rows }, { begin: [step, 0], size: [1, count] }), shape);
  }
  const part = scope.memory.allocate(shape, sequence.dtype as DeviceDType);
  const source = scope.memory.view(sequence).subarray(step * count, (step + 1) * count);
  scope.memory.view(part).set(source);
  return part;
}

/** Collects what the steps of a scan give out, each at its place along the first axis. */
export class SequenceWriter {
  readonly #context: RunContext;
  readonly #dtype: Held['dtype'];
  readonly #length: number;
  readonly #parts: Held[] = [];
  #stacked: TensorInfo | undefined;

  constructor(context: RunContext, dtype: Held['dtype'], length: number) {
    this.#context = context;
    this.#dtype = dtype;
    this.#length = length;
  }

  /** Takes a step's result over: copied into place at once where memory can be reached, so that it need not be kept. */
  put(place: number, part: Held): void {
    const { memory } = this.#context.kernels;
    const dtype = deviceDTypeOf(this.#dtype);
    const count = countOf(part.shape);
    if (memory === undefined || dtype !== this.#dtype || count === 0) {
      this.#parts[place] = part;
      return;
    }
    const source = part.device();
    this.#stacked ??= memory.allocate([this.#length, ...part.shape], dtype);
    memory.view(this.#stacked).set(memory.view(source), place * count);
    part.release();
  }

  /** All steps; undefined if there were none. */
  finish(): Held | undefined {
    if (this.#stacked !== undefined) return new Held(this.#context.kernels, this.#dtype, this.#stacked);
    if (this.#parts.length === 0) return undefined;
    const stacked = concatenated(this.#context, this.#parts);
    for (const part of this.#parts) part.release();
    return stacked;
  }
}

/** Stacks equal shapes along a new first axis. */
export function concatenated(context: RunContext, parts: readonly Held[]): Held {
  const [first] = parts as readonly [Held, ...Held[]];
  const { dtype } = first;
  const shape = [parts.length, ...first.shape];
  if (deviceDTypeOf(dtype) !== dtype || countOf(shape) === 0) return stackedOnHost(context, parts, shape);
  const scope = new NodeScope(context.kernels, context.scalars, parts);
  try {
    const rows = parts.map((_, index) => scope.reshape(scope.device(index), [1, countOf(first.shape)]));
    const joined = rows.length === 1 ? (rows[0] as (typeof rows)[number]) : scope.run('Concat', rows, { axis: 0 });
    // A tensor of its own also when there is one part of the right shape already.
    const result = scope.run('Reshape', { x: joined }, { shape });
    scope.keep(result);
    return new Held(context.kernels, dtype, result);
  } finally {
    scope.end();
  }
}

function stackedOnHost(context: RunContext, parts: readonly Held[], shape: readonly number[]): Held {
  const { dtype } = parts[0] as Held;
  const data = allocateData(dtype, countOf(shape)) as unknown as { [index: number]: unknown };
  let at = 0;
  for (const part of parts) for (const element of part.host().data as Iterable<unknown>) data[at++] = element;
  return new Held(context.kernels, dtype, new Tensor(dtype, shape, data as never));
}
