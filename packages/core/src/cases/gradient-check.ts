import { evaluateGraph } from '../reference/evaluate.js';
import { Tensor, type TensorMap, toNumbers } from '../tensor/tensor.js';
import type { OpCase } from './case.js';
import { seedOf, uniformSequence } from './case-data.js';
import { type CaseGraph, caseGraph, gradientCaseGraph } from './case-graph.js';

/** A gradient that does not match finite differences. */
export interface GradientMismatch {
  /** Index of the input. */
  readonly input: number;
  /** Flat index of the element. */
  readonly element: number;
  readonly gradient: number;
  readonly difference: number;
}

const step = 1e-3;
const mostElements = 64;

/**
 * Checks the gradient of a case in float64 against central differences of fourth order:
 * `f'(x) ≈ (8·(f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h` with `f = Σ ⟨dy, y⟩` for random cotangents `dy`.
 *
 * At most 64 elements of each input are checked, chosen by the case's id.
 *
 * @param relative - Allowed distance, relative to the largest element of the input's gradient (but no less than 0.01).
 * @returns what does not match; empty if all does.
 */
export function checkGradient(opCase: OpCase, relative = 1e-6): readonly GradientMismatch[] {
  const backward = gradientCaseGraph(opCase, { floatDType: 'float64' });
  const forward = caseGraph(opCase, { floatDType: 'float64' });
  const results = evaluateGraph(backward.graph, backward.inputs, { keepFloat64: true });
  const project = projectionOf(forward, backward.inputs);
  return (opCase.differentiable ?? []).flatMap((input) => {
    const gradient = toNumbers(results[`dx${input}`] as Tensor);
    const scale = Math.max(
      0.01,
      gradient.reduce((largest, next) => Math.max(largest, Math.abs(next)), 0),
    );
    return chosenElements(gradient.length, opCase.id).flatMap((element) => {
      const difference = slopeAt((offset) => project(`x${input}`, element, offset));
      const isClose = Math.abs((gradient[element] as number) - difference) <= relative * scale;
      return isClose ? [] : [{ input, element, gradient: gradient[element] as number, difference }];
    });
  });
}

function chosenElements(count: number, id: string): readonly number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  if (count <= mostElements) return all;
  const next = uniformSequence(seedOf(id));
  return Array.from({ length: mostElements }, () => Math.floor(next() * count));
}

function slopeAt(f: (offset: number) => number): number {
  return (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step);
}

type Projection = (input: string, element: number, offset: number) => number;

function projectionOf({ graph, inputs }: CaseGraph, cotangents: TensorMap): Projection {
  return (input, element, offset) => {
    const moved = toNumbers(inputs[input] as Tensor).slice();
    moved[element] = (moved[element] as number) + offset;
    const varied = new Tensor('float64', (inputs[input] as Tensor).shape, moved);
    const results = evaluateGraph(graph, { ...inputs, [input]: varied }, { keepFloat64: true });
    return Object.entries(results).reduce((sum, [name, y]) => sum + inner(y, cotangents[`d${name}`]), 0);
  };
}

function inner(y: Tensor, dy: Tensor | undefined): number {
  if (dy === undefined) return 0;
  const [left, right] = [toNumbers(y), toNumbers(dy)];
  return left.reduce((sum, value, index) => sum + value * (right[index] as number), 0);
}
