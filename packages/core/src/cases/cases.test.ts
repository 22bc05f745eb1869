import { describe, expect, test } from 'vitest';
import { isModelwrightError } from '../errors.js';
import { type OpName, opNames, ops } from '../ops/registry.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { isFloat } from '../tensor/dtype.js';
import type { Dimension, Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { type CaseGraph, caseGraph, checkGradient, differenceOf, type OpCase, opCases } from './index.js';

/** Ops without gradient cases though a rule exists, and why. */
const withoutGradientCases: { readonly [N in OpName]?: string } = {
  StopGradient: 'its gradient is zero by definition, not by calculus',
  FakeQuantize: 'its gradient goes straight through the rounding; ops/torch-ops.test.ts compares it with PyTorch',
  EyeLike: 'only the shape of its input matters',
  RandomNormalLike: 'only the shape of its input matters',
  RandomUniformLike: 'only the shape of its input matters',
  If: 'only captured values have gradients; ops/control-flow.test.ts checks them',
};

const exact = { relative: 1e-9, absolute: 1e-9 };

const families = new Map<string, OpCase[]>();
for (const opCase of opCases) {
  const family = opCase.id.split('/')[0] as string;
  families.set(family, [...(families.get(family) ?? []), opCase]);
}

for (const [family, cases] of families) {
  describe(family, () => {
    test.each(cases.map((opCase) => [opCase.id, opCase] as const))('%s', (_, opCase) => {
      const concrete = caseGraph(opCase);
      const results = evaluateGraph(concrete.graph, concrete.inputs, { keepFloat64: true });
      checkTypes(concrete, results, {});
      checkSymbolicInference(opCase, results);
      checkDecomposition(opCase);
      expect(opCase.differentiable === undefined ? [] : checkGradient(opCase)).toEqual([]);
    });
  });
}

test('ids are unique and begin with the family and the op', () => {
  expect(new Set(opCases.map(({ id }) => id)).size).toBe(opCases.length);
  for (const { id, op } of opCases) expect(id.split('/')[1], id).toBe(op);
});

describe('coverage', () => {
  test.each(opNames)('%s has cases', (op) => {
    const cases = opCases.filter((each) => each.op === op);
    expect(cases.length, `${op} has no case`).toBeGreaterThan(0);
    const checked = cases.filter(({ differentiable }) => differentiable !== undefined).length;
    if (ops[op].gradient === 'not-differentiable') expect(checked).toBe(0);
    else if (withoutGradientCases[op] === undefined && cases.some(hasFloatOutput)) {
      expect(checked, `${op} needs three gradient cases`).toBeGreaterThanOrEqual(3);
    }
  });
});

function hasFloatOutput(opCase: OpCase): boolean {
  return caseGraph(opCase).graph.outputs.some(({ value }) => isFloat(value.dtype));
}

/** Shapes and dtypes as inferred are those computed; symbols stand for what `binding` says. */
function checkTypes({ graph }: CaseGraph, results: { readonly [name: string]: Tensor }, binding: Binding): void {
  for (const { name, value } of graph.outputs) {
    const { shape, dtype } = results[name] as Tensor;
    expect(
      isFloat(value.dtype) ? isFloat(dtype) : dtype === value.dtype,
      `${name} is ${dtype}, not ${value.dtype}`,
    ).toBe(true);
    expect(shape.length, `rank of ${name}`).toBe(value.shape.length);
    value.shape.forEach((extent, axis) => {
      const expected = extentOf(extent, binding);
      if (expected !== undefined) expect(shape[axis], `${name} axis ${axis}, inferred as ${extent}`).toBe(expected);
    });
  }
}

type Binding = { readonly [symbol: string]: number };

/** An extent's number; undefined if only the run can tell. */
function extentOf(extent: Dimension, binding: Binding): number | undefined {
  if (typeof extent === 'number') return extent;
  if (extent.includes('?')) return undefined;
  const scope = {
    ...binding,
    floor: Math.floor,
    ceil: Math.ceil,
    max: Math.max,
    min: Math.min,
    broadcast: (a: number, b: number) => (a === 1 ? b : a),
  };
  return Number(new Function(...Object.keys(scope), `return ${extent}`)(...Object.values(scope)));
}

/** The same inference with every extent but 1 a symbol (equal extents the same one), or a refusal that says so. */
function checkSymbolicInference(opCase: OpCase, results: { readonly [name: string]: Tensor }): void {
  const binding: { [symbol: string]: number } = {};
  const shapeOf = (shape: readonly number[]): Shape =>
    shape.map((extent) => {
      if (extent < 2) return extent;
      binding[`n${extent}`] = extent;
      return `n${extent}`;
    });
  try {
    checkTypes(caseGraph(opCase, { shapeOf }), results, binding);
  } catch (error) {
    if (!isModelwrightError(error, 'unsupported-shape')) throw error;
  }
}

function checkDecomposition(opCase: OpCase): void {
  if (ops[opCase.op].random || ops[opCase.op].decompose === undefined) return;
  const whole = caseGraph(opCase, { floatDType: 'float64' });
  const parts = caseGraph(opCase, { floatDType: 'float64', decomposed: true });
  if (parts === undefined) return;
  const expected = evaluateGraph(whole.graph, whole.inputs);
  const actual = evaluateGraph(parts.graph, parts.inputs);
  for (const name of Object.keys(expected)) {
    const difference = differenceOf(actual[name] as Tensor, expected[name] as Tensor, exact);
    expect(difference, `decomposed ${name}`).toBeUndefined();
  }
}
