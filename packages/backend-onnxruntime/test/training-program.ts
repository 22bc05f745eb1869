import {
  backpropagate,
  GraphBuilder,
  type Program,
  type StateSlot,
  Tensor,
  type TensorMap,
  tensor,
  type Value,
  zeros,
} from '@modelwright/core';

/** Deterministic numbers in [−1, 1). */
export function numbers(count: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function random(shape: readonly number[], seed: number, scale = 1): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return new Tensor(
    'float32',
    shape,
    numbers(count, seed).map((value) => value * scale),
  );
}

export interface MlpOptions {
  readonly widths: readonly number[];
  readonly batch: number;
}

interface Weight {
  readonly name: string;
  readonly value: Value;
  readonly initial: Tensor;
}

/** One Adam step of a ReLU network with a squared loss: forward, backward and update in one graph. */
export function mlpProgram({ widths, batch }: MlpOptions): Program {
  const builder = new GraphBuilder('mlp step');
  const x = builder.input('x', 'float32', [batch, widths[0] as number]);
  const target = builder.input('target', 'float32', [batch, widths.at(-1) as number]);
  const learningRate = builder.input('learningRate', 'float32', []);
  const step = builder.input('step', 'int64', []);
  const weights: Weight[] = [];
  const weight = (name: string, initial: Tensor): Value => {
    const value = builder.input(name, 'float32', initial.shape);
    weights.push({ name, value, initial });
    return value;
  };
  let hidden = x;
  for (let layer = 1; layer < widths.length; layer++) {
    const [from, to] = [widths[layer - 1] as number, widths[layer] as number];
    const kernel = weight(`kernel${layer}`, random([from, to], layer, 1 / Math.sqrt(from)));
    const bias = weight(`bias${layer}`, zeros('float32', [to]));
    hidden = builder.op('Gemm', [hidden, kernel, bias]);
    if (layer < widths.length - 1) hidden = builder.op('Relu', [hidden]);
  }
  const difference = builder.op('Sub', [hidden, target]);
  const loss = builder.op('ReduceMean', [builder.op('Mul', [difference, difference])], { keepdims: 0 });
  const gradients = backpropagate(
    builder,
    [{ value: loss }],
    weights.map(({ value }) => value),
  );
  builder.output('loss', loss);
  const next = builder.op('Add', [step, builder.scalar(1, 'int64')]);
  builder.output('step.next', next);
  const state: StateSlot[] = [{ name: 'step', input: 'step', output: 'step.next', initial: tensor(0n) }];
  for (const [index, each] of weights.entries())
    state.push(...adam(builder, each, { gradient: gradients[index] as Value, learningRate, next }));
  return { graph: builder.build(), state };
}

interface AdamInputs {
  readonly gradient: Value;
  readonly learningRate: Value;
  readonly next: Value;
}

function adam(
  builder: GraphBuilder,
  { name, value, initial }: Weight,
  { gradient, learningRate, next }: AdamInputs,
): StateSlot[] {
  const number = (constant: number): Value => builder.scalar(constant, 'float32');
  const time = builder.op('Cast', [next], { to: 1 });
  const moment = builder.input(`${name}.m`, 'float32', initial.shape);
  const square = builder.input(`${name}.v`, 'float32', initial.shape);
  const blend = (old: Value, fresh: Value, rate: number): Value =>
    builder.op('Add', [builder.op('Mul', [old, number(rate)]), builder.op('Mul', [fresh, number(1 - rate)])]);
  const corrected = (average: Value, rate: number): Value =>
    builder.op('Div', [average, builder.op('Sub', [number(1), builder.op('Pow', [number(rate), time])])]);
  const nextMoment = blend(moment, gradient, 0.9);
  const nextSquare = blend(square, builder.op('Mul', [gradient, gradient]), 0.999);
  const denominator = builder.op('Add', [builder.op('Sqrt', [corrected(nextSquare, 0.999)]), number(1e-7)]);
  const update = builder.op('Div', [builder.op('Mul', [corrected(nextMoment, 0.9), learningRate]), denominator]);
  builder.output(`${name}.next`, builder.op('Sub', [value, update]));
  builder.output(`${name}.m.next`, nextMoment);
  builder.output(`${name}.v.next`, nextSquare);
  return [
    { name, input: name, output: `${name}.next`, initial },
    { name: `${name}.m`, input: `${name}.m`, output: `${name}.m.next`, initial: zeros('float32', initial.shape) },
    { name: `${name}.v`, input: `${name}.v`, output: `${name}.v.next`, initial: zeros('float32', initial.shape) },
  ];
}

/** Inputs of one step. */
export function mlpInputs({ widths, batch }: MlpOptions, seed: number): TensorMap {
  return {
    x: random([batch, widths[0] as number], 1000 + seed),
    target: random([batch, widths.at(-1) as number], 2000 + seed),
    learningRate: tensor(0.01),
  };
}
