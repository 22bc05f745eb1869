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
