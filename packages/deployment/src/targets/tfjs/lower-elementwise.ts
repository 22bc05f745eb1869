import { fromNumbers, type Node, reshapeTensor, type Value } from '@modelwright/core';
import { type Emission, permuted, range, toLast, unsupported } from './emission.js';
import type { Emit } from './emit.js';
import { attribute } from './tensorflow-graph.js';

type Parts = readonly string[];
type Make = (emission: Emission, parts: Parts, node: Node) => string;

/** Computes element by element, in whichever layout its operands have. */
function elementwise(make: Make): Emit {
  return (emission, node) => {
    const inputs = node.inputs.filter((input): input is Value => input !== undefined);
    const output = node.outputs[0] as Value;
    const isImage = inputs.some((input) => emission.isLast(input) && input.shape.length === output.shape.length);
    const parts = isImage ? partsLast(emission, inputs, output.shape.length) : undefined;
    if (parts !== undefined) emission.bindLast(output, make(emission, parts, node));
    else
      emission.bind(
        output,
        make(
          emission,
          inputs.map((input) => emission.read(input)),
          node,
        ),
      );
  };
}

/** All operands with channels last; undefined if one is computed and of another rank. */
function partsLast(emission: Emission, inputs: readonly Value[], rank: number): Parts | undefined {
  const parts = inputs.map((input) => {
    if (input.shape.length === rank) return emission.readLast(input);
    if (input.shape.length === 0) return emission.read(input);
    const constant = emission.constantOf(input);
    if (constant === undefined) return undefined;
    const wide = [...range(rank - input.shape.length).map(() => 1), ...(constant.shape as readonly number[])];
    return emission.graph.constant(permuted(reshapeTensor(constant, wide), toLast(rank)), input.name);
  });
  return parts.some((part) => part === undefined) ? undefined : (parts as Parts);
}

const named = (op: string): Emit => elementwise(({ graph }, parts, { name }) => graph.add(op, parts, {}, name));

/** An op of two operands, taken one after the other. */
const folded = (op: string): Emit =>
  elementwise(({ graph }, parts, { name }) =>
    parts.slice(1).reduce((sum, part) => graph.add(op, [sum, part], {}, name), parts[0] as string),
  );

const isInteger = (node: Node): boolean => !/^(float|bfloat|bool)/.test(node.outputs[0]?.dtype ?? '');

/** ONNX rounds quotients of integers towards zero, TensorFlow down. */
const division: Make = ({ graph }, [a, b], node) => {
  if (!isInteger(node)) return graph.add('RealDiv', [a as string, b as string], {}, node.name);
  const absolute = [a, b].map((part) => graph.add('Abs', [part as string]));
  const signs = [a, b].map((part) => graph.add('Sign', [part as string]));
  return graph.add('Mul', [graph.add('FloorDiv', absolute), graph.add('Mul', signs)], {}, node.name);
};

const remainder: Make = ({ graph }, parts, node) =>
  graph.add(node.attributes['fmod'] === 1 ? 'Mod' : 'FloorMod', parts, {}, node.name);

/** `α·(eˣ − 1)` below zero. */
const exponentialUnit: Make = (emission, [x], node) => {
  const { graph } = emission;
  const alpha = Number(node.attributes['alpha'] ?? 1);
  if (alpha === 1) return graph.add('Elu', [x as string], {}, node.name);
  const below = graph.add('Mul', [graph.add('Expm1', [x as string]), emission.float(alpha)]);
  return graph.add(
    'SelectV2',
    [graph.add('Greater', [x as string, emission.float(0)]), x as string, below],
    {},
    node.name,
  );
};

const clip: Emit = (emission, node) => {
  const [x, low, high] = node.inputs;
  const bounds = { Maximum: low, Minimum: high };
  elementwise(({ graph }, [value]) =>
    Object.entries(bounds).reduce(
      (clipped, [op, bound]) =>
        bound === undefined ? clipped : graph.add(op, [clipped, emission.read(bound)], {}, node.name),
      value as string,
    ),
  )(emission, { ...node, inputs: [x] });
};

const cast: Make = ({ graph }, parts, node) =>
  graph.add(
    'Cast',
    parts,
    {
      SrcT: attribute.type((node.inputs[0] as Value).dtype),
      DstT: attribute.type((node.outputs[0] as Value).dtype),
    },
    node.name,
  );

/** `scale·(x − zeroPoint)`, along an axis where they are vectors. */
const dequantize: Emit = (emission, node) => {
  const [x, scale, zeroPoint] = node.inputs as [Value, Value, Value | undefined];
  const { graph } = emission;
  const aligned = (value: Value): string => alongAxis(emission, node, x, value);
  const wide = graph.add('Cast', [emission.read(x)], {
    SrcT: attribute.type(x.dtype),
    DstT: attribute.type('float32'),
  });
  const centred = zeroPoint === undefined ? wide : graph.add('Sub', [wide, aligned(zeroPoint)]);
  emission.bind(node.outputs[0] as Value, graph.add('Mul', [centred, aligned(scale)], {}, node.name));
};

const integerBounds: { readonly [dtype: string]: readonly [number, number] } = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** `round(x / scale) + zeroPoint`, within the bounds of the integer. */
const quantize: Emit = (emission, node) => {
  const [x, scale, zeroPoint] = node.inputs as [Value, Value, Value | undefined];
  const bounds = integerBounds[(node.outputs[0] as Value).dtype];
  if (bounds === undefined) throw unsupported(node, `integers of the kind ${node.outputs[0]?.dtype} are not possible`);
  const { graph } = emission;
  const rounded = graph.add('Round', [graph.add('RealDiv', [emission.read(x), alongAxis(emission, node, x, scale)])]);
  const shifted =
    zeroPoint === undefined ? rounded : graph.add('AddV2', [rounded, alongAxis(emission, node, x, zeroPoint)]);
  const above = graph.add('Maximum', [shifted, emission.float(bounds[0])]);
  const within = graph.add('Minimum', [above, emission.float(bounds[1])]);
  const types = { SrcT: attribute.type('float32'), DstT: attribute.type('int32') };
  emission.bind(node.outputs[0] as Value, graph.add('Cast', [within], types, node.name));
};

/** A scale or zero point as floats, shaped so that it stands on its axis. */
function alongAxis(emission: Emission, node: Node, x: Value, value: Value): string {
  const constant = emission.constantOf(value);
  if (constant === undefined || value.shape.length > 1)
    throw unsupported(node, 'its scale is computed, or differs from block to block');
  const axis = Number(node.attributes['axis'] ?? 1);
  const rank = x.shape.length;
  const shape =
    value.shape.length === 0
      ? []
      : range(rank).map((each) => (each === (axis + rank) % rank ? constant.elementCount : 1));
  const numbers = Array.from(constant.data as ArrayLike<number | bigint>, Number);
  return emission.graph.constant(fromNumbers('float32', shape, numbers), value.name);
}

/** Ops on each element by itself. */
export const elementwiseEmits: { readonly [op: string]: Emit } = {
  ...Object.fromEntries(
    [
      'Sin',
      'Cos',
      'Tan',
      'Asin',
      'Acos',
      'Atan',
      'Sinh',
      'Cosh',
      'Asinh',
      'Acosh',
      'Atanh',
      'Neg',
      'Abs',
      'Reciprocal',
      'Exp',
      'Log',
      'Sqrt',
    ]
      .concat([
        'Floor',
        'Ceil',
        'Relu',
        'Sigmoid',
        'Tanh',
        'Softplus',
        'Erf',
        'Selu',
        'Sign',
        'Round',
        'Identity',
        'Equal',
        'Greater',
        'Less',
      ])
      .concat(['Pow'])
      .map((op) => [op, named(op)]),
  ),
  GreaterOrEqual: named('GreaterEqual'),
  LessOrEqual: named('LessEqual'),
  And: named('LogicalAnd'),
  Or: named('LogicalOr'),
  Xor: named('NotEqual'),
  Not: named('LogicalNot'),
  IsNaN: named('IsNan'),
  IsInf: named('IsInf'),
  Where: named('SelectV2'),
  Add: named('AddV2'),
  Sub: named('Sub'),
  Mul: named('Mul'),
  Min: folded('Minimum'),
  Max: folded('Maximum'),
  Div: elementwise(division),
  Mod: elementwise(remainder),
  Elu: elementwise(exponentialUnit),
  Cast: elementwise(cast),
  Clip: clip,
  Dropout: (emission, node) => elementwiseEmits['Identity']?.(emission, { ...node, inputs: node.inputs.slice(0, 1) }),
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
};
