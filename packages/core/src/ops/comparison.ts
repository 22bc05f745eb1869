import type { Value, ValueType } from '../graph/graph.js';
import { allocateData, dtypeFacts, isBigInt, isInteger } from '../tensor/dtype.js';
import { broadcastShapes } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, Tensor, toNumbers } from '../tensor/tensor.js';
import { Algebra } from './algebra.js';
import { applyBroadcast, arithmeticBinary, arithmeticUnary } from './arithmetic.js';
import { forEachRow } from './broadcast-rows.js';
import type { EvaluateContext, InferContext, NoAttributes, OpDefinition, OpFamily } from './definition.js';
import { broadcastInputs, exactly, requireDType, requireFloat, requireNumeric, sameAsInput } from './rules.js';

/** Attributes of the comparison and logic ops, by op. */
export interface ComparisonAttributes {
  Equal: NoAttributes;
  Greater: NoAttributes;
  GreaterOrEqual: NoAttributes;
  Less: NoAttributes;
  LessOrEqual: NoAttributes;
  And: NoAttributes;
  Or: NoAttributes;
  Xor: NoAttributes;
  Not: NoAttributes;
  Where: NoAttributes;
  IsNaN: NoAttributes;
  BitwiseAnd: NoAttributes;
  BitwiseOr: NoAttributes;
  BitwiseXor: NoAttributes;
  BitwiseNot: NoAttributes;
  IsInf: { detect_negative: number; detect_positive: number };
  BitShift: { direction: 'LEFT' | 'RIGHT' };
}

const common = { outputs: exactly(1), attributes: {}, elementwise: true } as const;

/** A comparison: the results are bool and carry no gradient. Works on numbers, bigints and strings alike. */
function comparing(compare: (x: number, y: number) => boolean, allowsAny = false): OpDefinition<NoAttributes> {
  return {
    ...common,
    inputs: exactly(2),
    infer: (context) => {
      if (!allowsAny) requireNumeric(context, 0);
      return asBool(broadcastInputs(context));
    },
    gradient: () => [undefined, undefined],
    evaluate: ({ input }) => [compareTensors(input(0), input(1), compare)],
  };
}

/** Logic on two bools. */
function logic(apply: (x: number, y: number) => number): OpDefinition<NoAttributes> {
  return {
    ...common,
    inputs: exactly(2),
    infer: (context) => {
      requireDType(context, 0, 'bool');
      return broadcastInputs(context);
    },
    gradient: 'not-differentiable',
    evaluate: ({ input }) => [arithmeticBinary(input(0), input(1), { float: apply, bigint: (x) => x })],
  };
}

/** Logic on the bits of two integers of one dtype. */
function bitwise(
  number: (x: number, y: number) => number,
  bigint: (x: bigint, y: bigint) => bigint,
): OpDefinition<NoAttributes> {
  return {
    ...common,
    inputs: exactly(2),
    infer: (context) => {
      requireInteger(context, 0);
      return broadcastInputs(context);
    },
    gradient: 'not-differentiable',
    evaluate: ({ input }) => [arithmeticBinary(input(0), input(1), { float: number, bigint })],
  };
}

/** Comparison and logic ops. */
export const comparison: OpFamily<ComparisonAttributes> = {
  Equal: comparing((x, y) => x === y, true),
  Greater: comparing((x, y) => x > y),
  GreaterOrEqual: comparing((x, y) => x >= y),
  Less: comparing((x, y) => x < y),
  LessOrEqual: comparing((x, y) => x <= y),
  And: logic((x, y) => x & y),
  Or: logic((x, y) => x | y),
  Xor: logic((x, y) => x ^ y),
  Not: {
    ...common,
    inputs: exactly(1),
    infer: (context) => {
      requireDType(context, 0, 'bool');
      return sameAsInput(context);
    },
    gradient: 'not-differentiable',
    evaluate: ({ input }) => [arithmeticUnary(input(0), { float: (x) => 1 - x })],
  },
  // y = condition ? a : b; da = condition ? dy : 0, db = condition ? 0 : dy
  Where: {
    ...common,
    inputs: exactly(3),
    infer: inferWhere,
    gradient: ({ builder, input, outputGradient: dy, needs }) => {
      const f = new Algebra(builder);
      return [
        undefined,
        needs(1) ? f.where(input(0), dy, 0) : undefined,
        needs(2) ? f.where(input(0), 0, dy) : undefined,
      ];
    },
    evaluate: evaluateWhere,
  },
  IsNaN: {
    ...common,
    inputs: exactly(1),
    infer: inferFloatTest,
    gradient: () => [undefined],
    evaluate: ({ input }) => [testElements(input(0), Number.isNaN)],
    // WebGPU has no IsNaN: only NaN differs from itself.
    decompose: ({ builder, input }) => [builder.op('Not', [builder.op('Equal', [input(0), input(0)])])],
  },
  IsInf: {
    ...common,
    inputs: exactly(1),
    attributes: { detect_negative: { kind: 'int', default: 1 }, detect_positive: { kind: 'int', default: 1 } },
    infer: inferFloatTest,
    gradient: () => [undefined],
    evaluate: ({ input, attributes: { detect_negative: negative, detect_positive: positive } }) => [
      testElements(
        input(0),
        (x) => (positive !== 0 && x === Number.POSITIVE_INFINITY) || (negative !== 0 && x === Number.NEGATIVE_INFINITY),
      ),
    ],
  },
  BitwiseAnd: bitwise(
    (x, y) => x & y,
    (x, y) => x & y,
  ),
  BitwiseOr: bitwise(
    (x, y) => x | y,
    (x, y) => x | y,
  ),
  BitwiseXor: bitwise(
    (x, y) => x ^ y,
    (x, y) => x ^ y,
  ),
  BitwiseNot: {
    ...common,
    inputs: exactly(1),
    infer: (context) => {
      requireInteger(context, 0);
      return sameAsInput(context);
    },
    gradient: 'not-differentiable',
    evaluate: ({ input }) => [arithmeticUnary(input(0), { float: (x) => ~x, bigint: (x) => ~x })],
  },
  BitShift: {
    ...common,
    inputs: exactly(2),
    attributes: { direction: { kind: 'string', required: true } },
    infer: inferBitShift,
    gradient: 'not-differentiable',
    evaluate: ({ input, attributes }) => [shiftBits(input(0), input(1), attributes.direction)],
  },
};

function asBool(types: readonly ValueType[]): readonly ValueType[] {
  return types.map(({ shape }) => ({ dtype: 'bool', shape }));
}

function requireInteger(context: InferContext<object>, index: number): void {
  const { dtype } = context.input(index);
  if (!isInteger(dtype))
    context.fail(`input ${index} is ${dtype}; an integer dtype is needed`, { given: dtype }, 'dtype-mismatch');
}

function inferFloatTest(context: InferContext<object>): readonly ValueType[] {
  requireFloat(context, 0);
  return asBool(sameAsInput(context));
}

function inferWhere(context: InferContext<NoAttributes>): readonly ValueType[] {
  requireDType(context, 0, 'bool');
  const { dtype } = context.input(1);
  const inputs = [{ ...context.input(0), dtype }, context.input(1), context.input(2)];
  return broadcastInputs({ ...context, inputs, input: (index) => inputs[index] as Value });
}

function inferBitShift(context: InferContext<ComparisonAttributes['BitShift']>): readonly ValueType[] {
  const { direction } = context.attributes;
  if (direction !== 'LEFT' && direction !== 'RIGHT') {
    context.fail(
      `direction is '${direction}'; LEFT or RIGHT is needed`,
      { given: direction, allowed: ['LEFT', 'RIGHT'] },
      'invalid-attribute',
    );
  }
  requireInteger(context, 0);
  return broadcastInputs(context);
}

/** Elements for comparing: typed arrays of numbers, bigints or strings, which JavaScript compares alike. */
function comparable(t: Tensor): ArrayLike<number> {
  return (t.dtype === 'string' || isBigInt(t.dtype) ? t.data : toNumbers(t)) as ArrayLike<number>;
}

function compareTensors(a: Tensor, b: Tensor, compare: (x: number, y: number) => boolean): Tensor {
  const shape = broadcastShapes(a.shape, b.shape) as readonly number[];
  const data = new Uint8Array(elementCountOf(shape));
  applyBroadcast<number, number>({ a, b, shape, x: comparable(a), y: comparable(b), data }, (x, y) =>
    compare(x, y) ? 1 : 0,
  );
  return new Tensor('bool', shape, data);
}

function testElements(x: Tensor, test: (x: number) => boolean): Tensor {
  return fromNumbers(
    'bool',
    x.shape,
    toNumbers(x).map((value) => (test(value) ? 1 : 0)),
  );
}

function evaluateWhere({ input }: EvaluateContext<NoAttributes>): readonly Tensor[] {
  const [condition, a, b] = [input(0), input(1), input(2)];
  const shape = broadcastShapes(condition.shape, a.shape, b.shape) as readonly number[];
  const data = allocateData(a.dtype, elementCountOf(shape)) as unknown as unknown[];
  forEachRow(shape, [condition.shape, a.shape, b.shape], ({ start, length, offsets, steps }) => {
    let [at, left, right] = offsets as [number, number, number];
    const [step, stepLeft, stepRight] = steps as [number, number, number];
    for (let index = start; index < start + length; index++) {
      data[index] = condition.data[at] ? a.data[left] : b.data[right];
      at += step;
      left += stepLeft;
      right += stepRight;
    }
  });
  return [new Tensor(a.dtype, shape, data as never)];
}

// A shift by the width or more leaves nothing (C leaves that open); JavaScript would take the count modulo 32.
function shiftBits(a: Tensor, b: Tensor, direction: 'LEFT' | 'RIGHT'): Tensor {
  const { bits } = dtypeFacts[a.dtype];
  if (direction === 'LEFT') {
    return arithmeticBinary(a, b, {
      float: (x, y) => (y >= bits ? 0 : x << y),
      bigint: (x, y) => (y >= 64n ? 0n : x << y),
    });
  }
  return arithmeticBinary(a, b, {
    float: (x, y) => (y >= bits ? 0 : Math.floor(x / 2 ** y)),
    bigint: (x, y) => (y >= 64n ? 0n : x >> y),
  });
}
