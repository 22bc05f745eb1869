import { ModelwrightError } from '../errors.js';
import type { Value } from '../graph/graph.js';
import { castTo } from '../graph/shape-ops.js';
import { type DType, isFloat } from '../tensor/dtype.js';
import { dtypeOfOnnx, onnxDataType } from '../tensor/onnx-data-type.js';
import { type Dimension, formatShape } from '../tensor/shape.js';
import { elementCountOf, fromNumbers, fullTensor, Tensor, toNumbers } from '../tensor/tensor.js';
import { castElements } from './cast-elements.js';
import { counterUniformOp } from './counter-uniform.js';
import type { EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import { drawNormal, drawUniform } from './random-draws.js';
import { between, exactly, requireFloat, requireRank } from './rules.js';
import { requireDType } from './shape-inputs.js';

/** Attributes of the random ops, by op. */
export interface RandomAttributes {
  RandomNormal: { dtype: number; mean: number; scale: number; seed?: number; shape: readonly number[] };
  RandomUniform: { dtype: number; high: number; low: number; seed?: number; shape: readonly number[] };
  RandomNormalLike: { dtype?: number; mean: number; scale: number; seed?: number };
  RandomUniformLike: { dtype?: number; high: number; low: number; seed?: number };
  Bernoulli: { dtype?: number; seed?: number };
  Multinomial: { dtype: number; sample_size: number; seed?: number };
  /** `(data, ratio?, training_mode?)` → `(output, mask?)` */
  Dropout: { seed?: number };
  /**
   * Own domain: `(counter int64 scalar)` → uniform numbers in [0, 1) of `shape` and `dtype`, a pure function of seed, counter and index:
   * the same counter gives the same numbers on every backend.
   */
  CounterUniform: { seed: number; shape: readonly number[]; dtype: number };
}

const normal = {
  mean: { kind: 'float', default: 0 },
  scale: { kind: 'float', default: 1 },
  seed: { kind: 'float' },
} as const;
const uniform = {
  high: { kind: 'float', default: 1 },
  low: { kind: 'float', default: 0 },
  seed: { kind: 'float' },
} as const;
const created = { dtype: { kind: 'int', default: 1 }, shape: { kind: 'ints', required: true } } as const;
const likeInput = { dtype: { kind: 'int' } } as const;
const one = exactly(1);

/** Random ops. With a seed each run draws the same numbers; without one, each run draws others. */
export const random: OpFamily<RandomAttributes> = {
  RandomNormal: {
    inputs: exactly(0),
    outputs: one,
    attributes: { ...normal, ...created },
    random: true,
    infer: createdType,
    gradient: 'not-differentiable',
    evaluate: ({ attributes }) => [normalTensor(attributes.shape, attributes)],
  },
  RandomUniform: {
    inputs: exactly(0),
    outputs: one,
    attributes: { ...uniform, ...created },
    random: true,
    infer: createdType,
    gradient: 'not-differentiable',
    evaluate: ({ attributes }) => [uniformTensor(attributes.shape, attributes)],
  },
  RandomNormalLike: {
    inputs: one,
    outputs: one,
    attributes: { ...normal, ...likeInput },
    random: true,
    infer: typeLikeInput,
    gradient: () => [undefined],
    evaluate: ({ attributes, input }) => [normalTensor(input(0).shape, attributes)],
  },
  RandomUniformLike: {
    inputs: one,
    outputs: one,
    attributes: { ...uniform, ...likeInput },
    random: true,
    infer: typeLikeInput,
    gradient: () => [undefined],
    evaluate: ({ attributes, input }) => [uniformTensor(input(0).shape, attributes)],
  },
  // y = 1 with probability x, else 0
  Bernoulli: {
    inputs: one,
    outputs: one,
    attributes: { dtype: { kind: 'int' }, seed: { kind: 'float' } },
    random: true,
    infer: (context) => {
      requireFloat(context, 0);
      const { dtype } = context.attributes;
      return [{ ...context.input(0), dtype: dtype === undefined ? context.input(0).dtype : dtypeOfOnnx(dtype) }];
    },
    gradient: 'not-differentiable',
    evaluate: (context) => {
      const chances = toNumbers(context.input(0));
      const draws = drawUniform(context.attributes.seed, chances.length);
      const values = chances.map((chance, index) => ((draws[index] as number) < chance ? 1 : 0));
      const { dtype } = context.outputTypes[0] as { dtype: DType };
      return [castElements(new Tensor('float64', context.input(0).shape, values), dtype)];
    },
  },
  // y[b, s] = class c with probability softmax(x[b])[c]
  Multinomial: {
    inputs: one,
    outputs: one,
    attributes: {
      dtype: { kind: 'int', default: onnxDataType('int32') },
      sample_size: { kind: 'int', default: 1 },
      seed: { kind: 'float' },
    },
    random: true,
    infer: (context) => {
      requireFloat(context, 0);
      requireRank(context, 0, 2, 'the input [batch, classes]');
      const { dtype, sample_size } = context.attributes;
      return [{ dtype: dtypeOfOnnx(dtype), shape: [context.input(0).shape[0] as Dimension, sample_size] }];
    },
    gradient: 'not-differentiable',
    evaluate: (context) => [sampledClasses(context)],
  },
  // Training: y = x·mask/(1 − ratio) with mask = 1 with probability 1 − ratio; else y = x
  Dropout: {
    inputs: between(1, 3),
    outputs: between(1, 2),
    attributes: { seed: { kind: 'int' } },
    random: true,
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      requireFloat(context, 0);
      checkDropoutInputs(context);
      return [
        { dtype, shape },
        { dtype: 'bool', shape },
      ];
    },
    gradient: dropoutGradient,
    evaluate: dropoutTensors,
  },
  CounterUniform: counterUniformOp,
};

function createdType(
  context: InferContext<{ dtype: number; shape: readonly number[] }>,
): [{ dtype: DType; shape: readonly number[] }] {
  const { dtype, shape } = context.attributes;
  return [{ dtype: requireFloatAttribute(context, dtypeOfOnnx(dtype)), shape }];
}

function typeLikeInput(context: InferContext<{ dtype?: number }>): [{ dtype: DType; shape: readonly Dimension[] }] {
  const { dtype } = context.attributes;
  const { dtype: own, shape } = context.input(0);
  return [{ dtype: requireFloatAttribute(context, dtype === undefined ? own : dtypeOfOnnx(dtype)), shape }];
}

function requireFloatAttribute(context: InferContext<object>, dtype: DType): DType {
  if (isFloat(dtype)) return dtype;
  return context.fail(`makes floats, not ${dtype}`, { given: dtype }, 'invalid-attribute');
}

interface Normal {
  readonly mean: number;
  readonly scale: number;
  readonly seed?: number;
}

function normalTensor(shape: readonly number[], { mean, scale, seed }: Normal): Tensor {
  const values = drawNormal(seed, elementCountOf(shape)).map((draw) => mean + scale * draw);
  return new Tensor('float64', shape, values);
}

interface Uniform {
  readonly low: number;
  readonly high: number;
  readonly seed?: number;
}

function uniformTensor(shape: readonly number[], { low, high, seed }: Uniform): Tensor {
  const values = drawUniform(seed, elementCountOf(shape)).map((draw) => low + (high - low) * draw);
  return new Tensor('float64', shape, values);
}

function sampledClasses(context: EvaluateContext<RandomAttributes['Multinomial']>): Tensor {
  const logits = context.input(0);
  const [batch, classes] = logits.shape as [number, number];
  const { sample_size: samples, seed } = context.attributes;
  const values = toNumbers(logits);
  const draws = drawUniform(seed, batch * samples);
  const chosen = new Float64Array(batch * samples);
  for (let row = 0; row < batch; row++) {
    const line = values.subarray(row * classes, (row + 1) * classes);
    const highest = line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const weights = line.map((logit) => Math.exp(logit - highest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let sample = 0; sample < samples; sample++) {
      const at = row * samples + sample;
      chosen[at] = classAt(weights, (draws[at] as number) * total);
    }
  }
  return fromNumbers((context.outputTypes[0] as { dtype: DType }).dtype, [batch, samples], chosen);
}

function classAt(weights: Float64Array, target: number): number {
  let sum = 0;
  for (let index = 0; index < weights.length; index++) {
    sum += weights[index] as number;
    if (target < sum) return index;
  }
  return weights.length - 1;
}

function checkDropoutInputs(context: InferContext<object>): void {
  for (const index of [1, 2]) {
    const value = context.inputs[index];
    if (value?.shape.some((extent) => extent !== 1)) {
      context.fail(`input ${index} has shape ${formatShape(value.shape)}; a scalar is needed`, { given: value.shape });
    }
  }
  if (context.inputs[2] !== undefined) requireDType(context, 2, ['bool'], 'training_mode');
  const held = context.constant(1);
  if (held !== undefined) checkRatio(toNumbers(held)[0] as number, context.fail);
}

function checkRatio(ratio: number, fail: InferContext<object>['fail']): void {
  if (!(ratio >= 0 && ratio <= 1)) {
    fail(`ratio ${ratio} is not a probability; allowed is 0…1`, { given: ratio }, 'value-out-of-range');
  }
}

function dropoutTensors(context: EvaluateContext<RandomAttributes['Dropout']>): readonly Tensor[] {
  const [data, ratioInput, training] = context.inputs;
  const { shape } = data as Tensor;
  const values = toNumbers(data as Tensor);
  const ratio = ratioInput === undefined ? 0.5 : (toNumbers(ratioInput)[0] as number);
  checkRatio(ratio, context.fail);
  if (training === undefined || training.data[0] === 0 || ratio === 0)
    return [data as Tensor, fullTensor('bool', shape, 1)];
  const mask = Uint8Array.from(drawUniform(context.attributes.seed, values.length), (draw) => (draw >= ratio ? 1 : 0));
  const output = values.map((value, index) => (mask[index] === 1 ? value / (1 - ratio) : 0));
  return [new Tensor('float64', shape, output), new Tensor('bool', shape, mask)];
}

function dropoutGradient(context: GradientContext<object>): readonly (Value | undefined)[] {
  const { builder, inputs, outputs, outputGradient: dy } = context;
  const rest = inputs.slice(1).map(() => undefined);
  const training = inputs[2] === undefined ? false : builder.constantOf(inputs[2])?.data[0] !== 0;
  if (!training) return [dy, ...rest];
  const mask = outputs[1];
  if (mask === undefined) {
    throw new ModelwrightError(
      'not-differentiable',
      'Dropout in training mode needs its mask (output 1) to be differentiated; the pass toTraining gives it another form',
      { op: 'Dropout' },
    );
  }
  const kept = builder.op('Mul', [dy, castTo(builder, mask, dy.dtype)]);
  const ratio = inputs[1] === undefined ? builder.scalar(0.5, dy.dtype) : castTo(builder, inputs[1], dy.dtype);
  return [builder.op('Div', [kept, builder.op('Sub', [builder.scalar(1, dy.dtype), ratio])]), ...rest];
}
