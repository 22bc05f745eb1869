import {
  castTensor,
  counterUniform,
  fromNumbers,
  isConcrete,
  reshapeTensor,
  Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import type { ResidencyPlan } from './residency-plan.js';

/** Reads a number that the host has computed or holds. */
export type ReadNumber = (value: Value) => number;

/** What the host computes for one step of the device: numbers, casts of what the caller gives, random numbers. */
export function hostFeeds(plan: ResidencyPlan, given: TensorMap, numbers: ReadNumber): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  for (const value of plan.numbers) feeds.set(value.name, numberTensor(value, numbers(value)));
  for (const { value, source } of plan.casts) feeds.set(value.name, movedTo(value, given[source.name] as Tensor));
  for (const { value, counter, seed, count } of plan.random) {
    const shape = value.shape as readonly number[];
    feeds.set(value.name, new Tensor('float32', shape, counterUniform(seed, numbers(counter), count)));
  }
  return feeds;
}

/** A number as a tensor of the value's type. */
export function numberTensor({ dtype, shape }: Value, number: number): Tensor {
  return fromNumbers(dtype, shape as readonly number[], Float64Array.of(number));
}

function movedTo({ dtype, shape }: Value, given: Tensor): Tensor {
  const cast = castTensor(given, dtype);
  return isConcrete(shape) ? reshapeTensor(cast, shape) : cast;
}
