import type { ActivationAttributes } from '../ops/activation.js';
import { type CaseInput, type CaseTolerance, floats, given, type OpCase, random, specialFloats } from './case.js';

type ActivationName = Exclude<keyof ActivationAttributes, 'PRelu' | 'ReluGradient'>;

interface Form<N extends ActivationName> {
  /** Kinks that gradient cases stay away from. */
  readonly avoid?: readonly number[];
  /** Attributes other than the defaults, under the name of their case. */
  readonly tolerance?: CaseTolerance;
  readonly variants?: { readonly [what: string]: Partial<ActivationAttributes[N]> };
}

const forms: { readonly [N in ActivationName]: Form<N> } = {
  Relu: { avoid: [0] },
  Sigmoid: {},
  Tanh: {},
  Softplus: {},
  Softsign: {},
  HardSwish: { avoid: [-3, 3] },
  Erf: {},
  LeakyRelu: { avoid: [0], variants: { 'steep alpha': { alpha: 0.3 } } },
  Elu: { avoid: [0], variants: { 'other alpha': { alpha: 0.5 } } },
  Celu: { avoid: [0], variants: { 'other alpha': { alpha: 2 } } },
  Selu: { avoid: [0], variants: { 'other constants': { alpha: 1.5, gamma: 1.2 } } },
  HardSigmoid: { avoid: [-2.5, 2.5, -1.5, 1], variants: { 'other line': { alpha: 0.4, beta: 0.6 } } },
  ThresholdedRelu: { avoid: [0.5, 1], variants: { 'other alpha': { alpha: 0.5 } } },
  Shrink: { avoid: [-0.5, 0.5, -1, 1], variants: { soft: { lambd: 1, bias: 1 }, hard: { lambd: 0.5, bias: 0 } } },
  Gelu: { variants: { tanh: { approximate: 'tanh' } } },
  Mish: {},
  Swish: {
    tolerance: { absolute: 1e-5, reason: 'fast sigmoids are off by 1e-7 of 1, here times |x| up to 20' },
    variants: { 'other alpha': { alpha: 1.702 } },
  },
};

function casesOf<N extends ActivationName>(op: N): readonly OpCase[] {
  const { avoid = [], variants = {}, tolerance }: Form<N> = forms[op];
  const range: Pick<CaseInput, 'low' | 'high' | 'avoid'> = { low: -4, high: 4, avoid };
  const name = `activation/${op}`;
  const varied = Object.entries(variants).map(([what, attributes]) => ({
    id: `${name}/${what}`,
    op,
    attributes,
    inputs: [floats([3, 5], range)],
    differentiable: [0],
  }));
  const plain = [
    { id: `${name}/odd`, op, inputs: [floats([3, 5], range)], differentiable: [0] },
    { id: `${name}/scalar`, op, inputs: [floats([], range)], differentiable: [0] },
    { id: `${name}/four axes`, op, inputs: [floats([2, 1, 3, 2], range)], differentiable: [0] },
    { id: `${name}/empty`, op, inputs: [floats([0, 3])] },
    { id: `${name}/large`, op, inputs: [floats([37, 271], { low: -20, high: 20 })], tolerance },
    { id: `${name}/float16`, op, inputs: [random('float16', [2, 3], range)] },
    { id: `${name}/float64`, op, inputs: [random('float64', [2, 3], range)] },
    { id: `${name}/special`, op, inputs: [specialFloats] },
  ];
  return [...plain, ...varied] as unknown as readonly OpCase[];
}

const away: Pick<CaseInput, 'avoid'> = { avoid: [0] };

/** Cases of the activations. */
export const activationCases: readonly OpCase[] = [
  ...(Object.keys(forms) as ActivationName[]).flatMap((op) => casesOf(op)),
  { id: 'activation/Relu/int32', op: 'Relu', inputs: [given('int32', [-2147483648, -1, 0, 1, 2147483647])] },
  { id: 'activation/Relu/int64', op: 'Relu', inputs: [given('int64', [-1n, 0n, 9007199254740993n])] },
  { id: 'activation/Relu/int8', op: 'Relu', inputs: [random('int8', [3, 5])] },
  {
    id: 'activation/PRelu/same shape',
    op: 'PRelu',
    inputs: [floats([3, 5], away), floats([3, 5])],
    differentiable: [0, 1],
  },
  { id: 'activation/PRelu/row', op: 'PRelu', inputs: [floats([3, 5], away), floats([5])], differentiable: [0, 1] },
  {
    id: 'activation/PRelu/channels',
    op: 'PRelu',
    inputs: [floats([2, 3, 2, 2], away), floats([3, 1, 1])],
    differentiable: [0, 1],
  },
  { id: 'activation/PRelu/scalar', op: 'PRelu', inputs: [floats([4], away), floats([])], differentiable: [0, 1] },
  { id: 'activation/PRelu/empty', op: 'PRelu', inputs: [floats([0, 3]), floats([3])] },
  { id: 'activation/PRelu/large', op: 'PRelu', inputs: [floats([37, 271]), floats([271])] },
  { id: 'activation/PRelu/float16', op: 'PRelu', inputs: [random('float16', [2, 3]), random('float16', [3])] },
  {
    id: 'activation/ReluGradient/odd',
    op: 'ReluGradient',
    inputs: [floats([3, 5]), floats([3, 5], away)],
    differentiable: [0],
  },
  {
    id: 'activation/ReluGradient/scalar',
    op: 'ReluGradient',
    inputs: [floats([]), floats([], away)],
    differentiable: [0],
  },
  {
    id: 'activation/ReluGradient/four axes',
    op: 'ReluGradient',
    inputs: [floats([2, 1, 3, 2]), floats([2, 1, 3, 2], away)],
    differentiable: [0],
  },
  {
    id: 'activation/ReluGradient/zeros',
    op: 'ReluGradient',
    inputs: [given('float32', [1, 2, 3, 4]), given('float32', [0, -0, -1, 1])],
  },
  { id: 'activation/ReluGradient/empty', op: 'ReluGradient', inputs: [floats([0, 3]), floats([0, 3])] },
  { id: 'activation/ReluGradient/large', op: 'ReluGradient', inputs: [floats([37, 271]), floats([37, 271])] },
  {
    id: 'activation/ReluGradient/float16',
    op: 'ReluGradient',
    inputs: [random('float16', [7]), random('float16', [7])],
  },
];
