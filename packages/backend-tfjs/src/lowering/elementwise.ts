import { broadcastShapes, type Node, type OpName } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import {
  countOf,
  host,
  type KernelLowering,
  kernel,
  type LoweringFamily,
  type StepScope,
  takes,
  takesAt,
} from './lowering.js';

/** A kernel of one float32 tensor. */
export function unary(name: string, input = 'x'): KernelLowering<never> {
  return kernel((node: Node) =>
    takes(node, 'float32') ? (scope) => scope.run(name, { [input]: scope.device(0) }) : undefined,
  ) as KernelLowering<never>;
}

function binary(name: string, ...dtypes: readonly string[]): KernelLowering<never> {
  return kernel((node: Node) =>
    takes(node, ...dtypes) ? (scope) => combine(scope, name, scope.device(0), scope.device(1)) : undefined,
  ) as KernelLowering<never>;
}

// Kernels that XNNPACK computes broadcast at full speed; the others walk element by element through index arithmetic.
const broadcastsFast: ReadonlySet<string> = new Set(['Add', 'Sub', 'Multiply', 'RealDiv']);

/** A binary kernel; operands of slow kernels are brought to one shape first where that is cheaper. */
export function combine(scope: StepScope, name: string, a: TensorInfo, b: TensorInfo): TensorInfo {
  if (broadcastsFast.has(name) || scope.backendName !== 'wasm') return scope.run(name, { a, b });
  // A single element as a vector of extent 1 repeats by the cheap rule of these kernels.
  const shape = broadcastShapes(a.shape, b.shape) as readonly number[];
  return scope.run(name, { a: expand(scope, a, shape), b: expand(scope, b, shape) });
}

/** The tensor repeated to `shape`. */
export function expand(scope: StepScope, tensor: TensorInfo, shape: readonly number[]): TensorInfo {
  if (tensor.shape.length === shape.length && tensor.shape.every((extent, axis) => extent === shape[axis]))
    return tensor;
  if (countOf(shape) === 0 || countOf(tensor.shape) === 1) return filled(scope, tensor, shape);
  const padded = [...new Array<number>(shape.length - tensor.shape.length).fill(1), ...tensor.shape];
  const reps = shape.map((extent, axis) => extent / (padded[axis] as number));
  return scope.run('Tile', { x: scope.reshape(tensor, padded) }, { reps });
}

function filled(scope: StepScope, tensor: TensorInfo, shape: readonly number[]): TensorInfo {
  if (countOf(shape) === 0) return scope.run('Fill', {}, { shape: [...shape], value: 0, dtype: tensor.dtype });
  const ones = new Array<number>(shape.length).fill(1);
  const single = scope.reshape(tensor, ones);
  return scope.run('Tile', { x: single }, { reps: [...shape] });
}

function fold(name: string): KernelLowering<never> {
  return kernel((node: Node) => {
    if (!takes(node, 'float32', 'int32')) return undefined;
    if (node.inputs.length === 1) return (scope) => scope.held(0);
    return (scope) =>
      node.inputs
        .slice(1)
        .reduce<TensorInfo>((sum, _, index) => combine(scope, name, sum, scope.device(index + 1)), scope.device(0));
  }) as KernelLowering<never>;
}

const passThrough = kernel(() => (scope) => scope.held(0)) as KernelLowering<never>;

const clip: KernelLowering<'Clip'> = kernel((node) => {
  if (!takes(node, 'float32')) return undefined;
  return (scope) => {
    const [, lowInput, highInput] = scope.inputs;
    const x = scope.device(0);
    const low = lowInput?.numbers()[0] ?? Number.NEGATIVE_INFINITY;
    const high = highInput?.numbers()[0] ?? Number.POSITIVE_INFINITY;
    if (low < high) return scope.run('ClipByValue', { x }, { clipValueMin: low, clipValueMax: high });
    // The kernel of wasm breaks on an empty range; the upper bound wins.
    const raised = combine(scope, 'Maximum', x, scope.scalar(low));
    return combine(scope, 'Minimum', raised, scope.scalar(high));
  };
});

const pow: KernelLowering<'Pow'> = kernel((node) => {
  if (!takes(node, 'float32')) return undefined;
  return (scope) => {
    const exponent = scope.held(1);
    const x = scope.device(0);
    if (countOf(exponent.shape) === 1 && exponent.shape.length <= x.shape.length) {
      const [power] = exponent.numbers();
      if (power === 2) return scope.run('Multiply', { a: x, b: x });
      if (power === 0.5) return scope.run('Sqrt', { x });
    }
    return combine(scope, 'Pow', x, scope.device(1));
  };
});

const exact32 = 'float32 kernels would round it; core computes it exactly';

/** Arithmetic on elements. */
export const elementwiseLowerings: LoweringFamily<
  | 'StopGradient'
  | 'Identity'
  | 'Neg'
  | 'Abs'
  | 'Sign'
  | 'Reciprocal'
  | 'Exp'
  | 'Log'
  | 'Sqrt'
  | 'Floor'
  | 'Ceil'
  | 'Round'
  | 'Add'
  | 'Sub'
  | 'Mul'
  | 'Div'
  | 'Pow'
  | 'Min'
  | 'Max'
  | 'Sum'
  | 'Mean'
  | 'Clip'
  | 'Mod'
  | 'TrainingSwitch'
  | 'TrackStatistic'
  | 'Sin'
  | 'Cos'
  | 'Tan'
  | 'Asin'
  | 'Acos'
  | 'Atan'
  | 'Sinh'
  | 'Cosh'
  | 'Asinh'
  | 'Acosh'
  | 'Atanh'
> = {
  StopGradient: passThrough,
  Identity: passThrough,
  TrainingSwitch: 'decompose',
  TrackStatistic: passThrough,
  Neg: unary('Neg'),
  Abs: unary('Abs'),
  // The kernel makes 0 of NaN.
  Sign: 'decompose',
  Reciprocal: unary('Reciprocal'),
  Exp: unary('Exp'),
  Log: unary('Log'),
  Sqrt: unary('Sqrt'),
  Floor: unary('Floor'),
  Ceil: unary('Ceil'),
  Round: unary('Round'),
  Sin: unary('Sin'),
  Cos: unary('Cos'),
  Tan: unary('Tan'),
  Asin: unary('Asin'),
  Acos: unary('Acos'),
  Atan: unary('Atan'),
  Sinh: unary('Sinh'),
  Cosh: unary('Cosh'),
  Asinh: unary('Asinh'),
  Acosh: unary('Acosh'),
  Atanh: unary('Atanh'),
  Add: binary('Add', 'float32', 'int32'),
  Sub: binary('Sub', 'float32', 'int32'),
  Mul: binary('Multiply', 'float32'),
  Div: binary('RealDiv', 'float32'),
  Pow: pow,
  Min: fold('Minimum'),
  Max: fold('Maximum'),
  Sum: 'decompose',
  Mean: 'decompose',
  Clip: clip,
  Mod: host(exact32),
};

/** Comparison, logic and choice. */
export const comparisonLowerings: LoweringFamily<
  | 'Equal'
  | 'Greater'
  | 'GreaterOrEqual'
  | 'Less'
  | 'LessOrEqual'
  | 'And'
  | 'Or'
  | 'Xor'
  | 'Not'
  | 'Where'
  | 'IsNaN'
  | 'IsInf'
  | 'BitwiseAnd'
  | 'BitwiseOr'
  | 'BitwiseXor'
  | 'BitwiseNot'
  | 'BitShift'
> = {
  Equal: binary('Equal', 'float32', 'int32', 'bool'),
  Greater: binary('Greater', 'float32', 'int32'),
  GreaterOrEqual: binary('GreaterEqual', 'float32', 'int32'),
  Less: binary('Less', 'float32', 'int32'),
  LessOrEqual: binary('LessEqual', 'float32', 'int32'),
  And: binary('LogicalAnd', 'bool'),
  Or: binary('LogicalOr', 'bool'),
  // The plain backend has no exclusive or.
  Xor: kernel((node: Node) =>
    takes(node, 'bool') ? (scope) => combine(scope, 'NotEqual', scope.device(0), scope.device(1)) : undefined,
  ),
  Not: unaryOf('LogicalNot', 'bool'),
  Where: kernel((node: Node) => {
    if (!takesAt(node, 1, 'float32', 'int32', 'bool')) return undefined;
    return (scope) => {
      const operands = [scope.device(0), scope.device(1), scope.device(2)] as const;
      const shape = broadcastShapes(...operands.map((each) => each.shape)) as readonly number[];
      const [condition, t, e] = operands.map((each) => expand(scope, each, shape)) as [
        TensorInfo,
        TensorInfo,
        TensorInfo,
      ];
      if (t.dtype === 'bool') return chosenBool(scope, { condition, t, e });
      if (shape.length > 0) return scope.run('Select', { condition, t, e });
      const [flag, yes, no] = [condition, t, e].map((each) => scope.reshape(each, [1]));
      return scope.reshape(scope.run('Select', { condition: flag, t: yes, e: no }), []);
    };
  }),
  IsNaN: unary('IsNan'),
  IsInf: kernel((node) =>
    node.attributes.detect_negative === 1 && node.attributes.detect_positive === 1 && takes(node, 'float32')
      ? (scope) => scope.run('IsInf', { x: scope.device(0) })
      : undefined,
  ),
  BitwiseAnd: host('tfjs has one bitwise kernel only'),
  BitwiseOr: host('tfjs has one bitwise kernel only'),
  BitwiseXor: host('tfjs has one bitwise kernel only'),
  BitwiseNot: host('tfjs has one bitwise kernel only'),
  BitShift: host('tfjs has no shifts'),
};

// The kernel of wasm would read and write bools as if they were floats.
function chosenBool(
  scope: StepScope,
  { condition, t, e }: { readonly condition: TensorInfo; readonly t: TensorInfo; readonly e: TensorInfo },
): TensorInfo {
  const taken = scope.run('LogicalAnd', { a: condition, b: t });
  const left = scope.run('LogicalAnd', { a: scope.run('LogicalNot', { x: condition }), b: e });
  return scope.run('LogicalOr', { a: taken, b: left });
}

function unaryOf(name: string, dtype: string): KernelLowering<never> {
  return kernel((node: Node) =>
    takes(node, dtype) ? (scope) => scope.run(name, { x: scope.device(0) }) : undefined,
  ) as KernelLowering<never>;
}

const elu: KernelLowering<'Elu'> = kernel((node) => {
  const { alpha } = node.attributes;
  if (!takes(node, 'float32')) return undefined;
  if (alpha === 1) return (scope) => scope.run('Elu', { x: scope.device(0) });
  // max(x, 0) + α·(e^min(x, 0) − 1)
  return (scope) => {
    const x = scope.device(0);
    const below = scope.run('Neg', { x: scope.run('Relu', { x: scope.run('Neg', { x }) }) });
    const curve = scope.run('Multiply', { a: scope.run('Elu', { x: below }), b: scope.scalar(alpha) });
    return scope.run('Add', { a: scope.run('Relu', { x }), b: curve });
  };
});

/** Activations. */
export const activationLowerings: LoweringFamily<
  Extract<
    OpName,
    | 'Relu'
    | 'Sigmoid'
    | 'Tanh'
    | 'Softplus'
    | 'Softsign'
    | 'HardSwish'
    | 'Erf'
    | 'LeakyRelu'
    | 'PRelu'
    | 'Elu'
    | 'Celu'
    | 'Selu'
    | 'HardSigmoid'
    | 'ThresholdedRelu'
    | 'Shrink'
    | 'Gelu'
    | 'Mish'
    | 'Swish'
    | 'ReluGradient'
  >
> = {
  Relu: unary('Relu'),
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Softplus: unary('Softplus'),
  Softsign: 'decompose',
  HardSwish: 'decompose',
  Erf: unary('Erf'),
  LeakyRelu: kernel((node) =>
    takes(node, 'float32')
      ? (scope) => scope.run('LeakyRelu', { x: scope.device(0) }, { alpha: node.attributes.alpha })
      : undefined,
  ),
  PRelu: 'decompose',
  Elu: elu,
  Celu: 'decompose',
  Selu: 'decompose',
  HardSigmoid: 'decompose',
  ThresholdedRelu: 'decompose',
  Shrink: 'decompose',
  Gelu: 'decompose',
  Mish: 'decompose',
  Swish: 'decompose',
  // A mask of 0 and 1, multiplied: comparing and choosing would cost three slow kernels.
  ReluGradient: kernel((node) =>
    takes(node, 'float32')
      ? (scope) =>
          scope.run('Multiply', { a: scope.device(0), b: scope.run('Step', { x: scope.device(1) }, { alpha: 0 }) })
      : undefined,
  ),
};
