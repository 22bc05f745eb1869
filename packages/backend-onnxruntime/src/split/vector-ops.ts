import type { OpName } from '@modelwright/core';
import type { LaneOperation } from '../wasm/loop-kernel.js';

/** Adds nodes to a loop body; operands and results are positions of nodes. */
export interface LaneEmitter {
  emit(operation: LaneOperation, ...operands: number[]): number;
  constant(value: number): number;
  /** The number behind a node, if it is a constant. */
  constantOf(node: number): number | undefined;
}

/** Emits one op; `operands` has a hole where an optional input is left out. */
export type LaneRule = (emitter: LaneEmitter, operands: readonly (number | undefined)[]) => number;

const apply =
  (operation: LaneOperation): LaneRule =>
  (emitter, operands) =>
    emitter.emit(operation, ...(operands as readonly number[]));

/** Ops of any number of inputs, folded from the left. */
const fold =
  (operation: LaneOperation): LaneRule =>
  (emitter, operands) =>
    (operands as readonly number[]).reduce((left, right) => emitter.emit(operation, left, right));

/** Exponents with an exact form; all others stay in the graph. */
export const foldableExponents: readonly number[] = [-2, -1, -0.5, 0.5, 1, 2, 3, 4];

/** How each op is computed on float32 lanes. An op that is not here stays in the graph. */
export const laneRules: { readonly [N in OpName]?: LaneRule } = {
  Abs: apply('abs'),
  Neg: apply('negate'),
  Sqrt: apply('squareRoot'),
  Floor: apply('floor'),
  Ceil: apply('ceiling'),
  Round: apply('roundEven'),
  Add: apply('add'),
  Sub: apply('subtract'),
  Mul: apply('multiply'),
  Div: apply('divide'),
  Min: fold('minimum'),
  Max: fold('maximum'),
  Sum: fold('add'),
  Greater: apply('greater'),
  GreaterOrEqual: apply('greaterOrEqual'),
  Less: apply('less'),
  LessOrEqual: apply('lessOrEqual'),
  Equal: apply('equal'),
  Not: apply('not'),
  And: apply('and'),
  Or: apply('or'),
  Xor: apply('exclusiveOr'),
  Where: apply('select'),
  Reciprocal: (emitter, [x]) => emitter.emit('divide', emitter.constant(1), x as number),
  Relu: (emitter, [x]) => emitter.emit('maximum', x as number, emitter.constant(0)),
  // (x > 0) − (x < 0), each 0 or 1
  Sign: (emitter, [x]) => {
    const zero = emitter.constant(0);
    const one = emitter.constant(1);
    const above = emitter.emit('and', emitter.emit('greater', x as number, zero), one);
    const below = emitter.emit('and', emitter.emit('less', x as number, zero), one);
    return emitter.emit('subtract', above, below);
  },
  // Of casts only truth to 1 or 0 comes here.
  Cast: (emitter, [x]) => emitter.emit('and', x as number, emitter.constant(1)),
  Clip: (emitter, [x, low, high]) => {
    const raised = low === undefined ? (x as number) : emitter.emit('maximum', x as number, low);
    return high === undefined ? raised : emitter.emit('minimum', raised, high);
  },
  Mean: (emitter, operands) => {
    const sum = fold('add')(emitter, operands);
    return emitter.emit('divide', sum, emitter.constant(operands.length));
  },
  Pow: (emitter, [x, exponent]) => power(emitter, x as number, emitter.constantOf(exponent as number) as number),
};

/** Ops whose output holds the elements of input 0 in the same order. */
export const aliasOps: ReadonlySet<string> = new Set([
  'Identity',
  'StopGradient',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
]);

function power(emitter: LaneEmitter, x: number, exponent: number): number {
  if (exponent < 0) return emitter.emit('divide', emitter.constant(1), power(emitter, x, -exponent));
  if (exponent === 0.5) return emitter.emit('squareRoot', x);
  if (exponent === 1) return x;
  const half = power(emitter, x, Math.floor(exponent / 2));
  const square = emitter.emit('multiply', half, half);
  return exponent % 2 === 1 ? emitter.emit('multiply', square, x) : square;
}
