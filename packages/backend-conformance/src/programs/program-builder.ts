import {
  backpropagate,
  fromNumbers,
  GraphBuilder,
  type Program,
  type StateSlot,
  type Tensor,
  type TensorMap,
  tensor,
  type Value,
  zeros,
} from '@modelwright/core';
import { seedOf, uniformSequence } from '@modelwright/core/cases';

/** A program of the suite and what to feed it, step by step. */
export interface ConformanceProgram {
  readonly name: string;
  readonly program: Program;
  /** Inputs of step `step`, counted from 0. */
  inputs(step: number): TensorMap;
}

/** A float32 tensor in ±`bound` that `key` alone determines. */
export function waves(key: string, shape: readonly number[], bound = 1): Tensor {
  const next = uniformSequence(seedOf(key));
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Float64Array.from({ length: count }, () => (2 * next() - 1) * bound),
  );
}

interface Weight {
  readonly name: string;
  readonly value: Value;
  readonly initial: Tensor;
}

/** Builds a training step: weights are state, the update is part of the graph. */
export class TrainingStepBuilder {
  readonly builder: GraphBuilder;
  readonly #weights: Weight[] = [];
  readonly #state: StateSlot[] = [];

  constructor(name: string) {
    this.builder = new GraphBuilder(name);
  }

  /** A trained weight, begun at random within ±`bound`. */
  weight(name: string, shape: readonly number[], bound: number): Value {
    const value = this.builder.input(name, 'float32', shape);
    this.#weights.push({ name, value, initial: waves(`${this.builder.name}/${name}`, shape, bound) });
    return value;
  }

  /** A value carried from step to step. */
  carry(name: string, initial: Tensor, next: (current: Value) => Value): Value {
    const value = this.builder.input(name, initial.dtype, initial.shape);
    this.builder.output(`${name}.next`, next(value));
    this.#state.push({ name, input: name, output: `${name}.next`, initial });
    return value;
  }

  /** Adds gradients, one Adam update a weight, and the output `loss`. */
  finish(loss: Value): Program {
    const { builder } = this;
    builder.output('loss', loss);
    const targets = this.#weights.map(({ value }) => value);
    const gradients = backpropagate(builder, [{ value: loss }], targets);
    const one = builder.scalar(1, 'int64');
    const count = this.carry('step', tensor(0n, { dtype: 'int64' }), (step) => builder.op('Add', [step, one]));
    const step = builder.op('Add', [builder.op('Cast', [count], { to: 1 }), builder.scalar(1, 'float32')]);
    this.#weights.forEach((weight, index) => {
      this.#adam(weight, gradients[index] as Value, step);
    });
    return { graph: builder.build(), state: this.#state };
  }

  // m′ = β₁m + (1−β₁)g, v′ = β₂v + (1−β₂)g², w′ = w − η·m̂/(√v̂ + ε), each hat divided by 1 − βᵗ
  #adam({ name, value, initial }: Weight, gradient: Value, step: Value): void {
    const { builder } = this;
    const number = (value: number): Value => builder.scalar(value, 'float32');
    const add = (a: Value, b: Value): Value => builder.op('Add', [a, b]);
    const multiply = (a: Value, b: Value): Value => builder.op('Mul', [a, b]);
    const moving = (slot: string, beta: number, drawn: Value): Value => {
      const current = builder.input(slot, 'float32', initial.shape);
      const next = add(multiply(current, number(beta)), multiply(drawn, number(1 - beta)));
      builder.output(`${slot}.next`, next);
      this.#state.push({ name: slot, input: slot, output: `${slot}.next`, initial: zeros('float32', initial.shape) });
      const correction = builder.op('Sub', [number(1), builder.op('Pow', [number(beta), step])]);
      return builder.op('Div', [next, correction]);
    };
    const mean = moving(`${name}.m`, 0.9, gradient);
    const square = moving(`${name}.v`, 0.999, multiply(gradient, gradient));
    const scale = add(builder.op('Sqrt', [square]), number(1e-4));
    const change = multiply(builder.op('Div', [mean, scale]), number(0.01));
    builder.output(`${name}.next`, builder.op('Sub', [value, change]));
    this.#state.push({ name, input: name, output: `${name}.next`, initial });
  }
}

/** `mean((prediction − target)²)` */
export function meanSquaredError(builder: GraphBuilder, prediction: Value, target: Value): Value {
  const difference = builder.op('Sub', [prediction, target]);
  return builder.op('ReduceMean', [builder.op('Mul', [difference, difference])], { keepdims: 0 });
}
