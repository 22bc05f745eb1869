import { type GraphBuilder, onnxDataType, type Value } from '@modelwright/core';

/** A sequence whose steps that count stand first in each row, in the order in which a cell goes along them. */
export interface PackedSteps {
  /** `[time, batch, …features]`; what stands behind the last step that counts is of no interest. */
  readonly x: Value;
  /**
   * Outputs of the packed steps `[time, batch, units]` where the steps stood: those between give the output of the step
   * before, or 0.
   */
  unpack(outputs: Value, zeroOutputForMask: boolean): Value;
  /** The output of the last step that counts, `[batch, units]`; `otherwise`, by default 0, in rows without one. */
  last(outputs: Value, otherwise?: Value): Value;
}

interface PackRequest {
  /** `[time, batch, …features]` */
  readonly x: Value;
  /** bool `[batch, time]` */
  readonly mask: Value;
  readonly reversed: boolean;
}

/**
 * Moves the steps that count to the front, so that a cell needs no mask: states that must stay over a step are the same as
 * that step left out.
 */
export function packSteps(builder: GraphBuilder, { x, mask, reversed }: PackRequest): PackedSteps {
  const rows = rowNumbers(builder, x);
  const marks = builder.op('Cast', [mask], { to: onnxDataType('float32') });
  // How many steps have counted, each step included, in the direction of the cell.
  const counts = builder.op('CumSum', [marks, builder.scalar(1, 'int64')], { reverse: reversed ? 1 : 0 });
  const behind = (outputs: Value, number: Value, is: Value, otherwise?: Value): Value => {
    const before = builder.op('Sub', [number, builder.scalar(1, 'float32')]);
    const place = builder.op('Cast', [builder.op('Relu', [before])], { to: onnxDataType('int64') });
    const found = builder.op('Gather', [flat(builder, outputs), rows(place)], { axis: 0 });
    const exists = builder.op('Unsqueeze', [is, builder.integers([-1])]);
    return builder.op('Where', [exists, found, otherwise ?? builder.scalar(0, outputs.dtype)]);
  };
  const isAny = (number: Value): Value => builder.op('Greater', [number, builder.scalar(0, 'float32')]);
  return {
    x: builder.op('Gather', [flat(builder, x), rows(timeFirst(builder, stepOrder(builder, marks, reversed)))], {
      axis: 0,
    }),
    unpack(outputs, zeroOutputForMask) {
      const number = timeFirst(builder, counts);
      return behind(outputs, number, zeroOutputForMask ? timeFirst(builder, mask) : isAny(number));
    },
    last(outputs, otherwise) {
      const number = builder.op('ReduceSum', [marks, builder.integers([1])], { keepdims: 0 });
      return behind(outputs, number, isAny(number), otherwise);
    },
  };
}

/** Places of the steps, those that count first: int64 `[batch, time]`. */
function stepOrder(builder: GraphBuilder, marks: Value, reversed: boolean): Value {
  const time = marks.shape[1];
  const extents =
    typeof time === 'number' ? builder.integers([time]) : builder.op('Shape', [marks], { start: 1, end: 2 });
  const count = builder.op('Squeeze', [extents, builder.integers([0])]);
  const float = (value: Value): Value => builder.op('Cast', [value], { to: onnxDataType('float32') });
  const places = float(builder.op('Range', [builder.scalar(0, 'int64'), count, builder.scalar(1, 'int64')]));
  // A step that does not count is worse than all that do: (mark − 1) · time ∓ place
  const penalty = builder.op('Mul', [builder.op('Sub', [marks, builder.scalar(1, 'float32')]), float(count)]);
  const keys = builder.op(reversed ? 'Add' : 'Sub', [penalty, places]);
  return builder.node('TopK', [keys, extents], { axis: 1 }, { outputs: 2 })[1] as Value;
}

/** Gives for places `[…, batch]` in time the rows of what {@link flat} makes of `[time, batch, …]`. */
function rowNumbers(builder: GraphBuilder, x: Value): (places: Value) => Value {
  const batch = x.shape[1];
  const count =
    typeof batch === 'number'
      ? builder.scalar(batch, 'int64')
      : builder.op('Squeeze', [builder.op('Shape', [x], { start: 1, end: 2 }), builder.integers([0])]);
  const own = builder.op('Range', [builder.scalar(0, 'int64'), count, builder.scalar(1, 'int64')]);
  return (places) => builder.op('Add', [builder.op('Mul', [places, count]), own]);
}

/** `[time, batch, …]` → `[time · batch, …]` */
function flat(builder: GraphBuilder, value: Value): Value {
  return builder.op('Reshape', [value, builder.integers([-1, ...(value.shape.slice(2) as readonly number[])])]);
}

function timeFirst(builder: GraphBuilder, value: Value): Value {
  return builder.op('Transpose', [value], { perm: [1, 0] });
}
