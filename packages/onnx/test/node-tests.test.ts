import { evaluateGraph, isModelwrightError, print, type Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import { describe, expect, it } from 'vitest';
import { foreignNodesOf, readOnnx, readTensor, writeOnnx } from '../src/index.js';
import { type NodeTest, nodeTests } from './node-tests.js';

// ONNX's own tests of its operators, through the reader, the writer and the reference evaluator.

/** Tests whose expected output is one draw of a random op. */
const isRandom = /bernoulli|training_dropout/;

/** What is known not to agree, with the reason. A test that starts to agree has to leave the list. */
const knownFailures: readonly (readonly [RegExp, string])[] = [
  [/^test_not_\dd$/, 'opset 1'],
  [/^test_spacetodepth_crd/, 'an attribute of opset 28'],
  [/^test_mod_.*fmod_0/, 'fmod = 0 on floats came with opset 28'],
  [
    /^test_bitshift_(left_int32_negative|right_int(8|32)_(negative_shift|shift_ge))/,
    'signed shifts came with opset 28',
  ],
  [
    /^test_resize_downsample_scales_(linear|cubic)_align_corners$/,
    'extents before rounding count there; ONNX Runtime, and Modelwright, take those of the output',
  ],
];

const failureReason = (name: string): string | undefined => knownFailures.find(([pattern]) => pattern.test(name))?.[1];

function run(test: NodeTest): void {
  const model = readOnnx(test.model);
  const again = readOnnx(writeOnnx(model).bytes);
  if (foreignNodesOf(model.graph).length > 0) return;
  const inputs = Object.fromEntries(test.inputs.map(readTensor).map(({ name, tensor }) => [name, tensor]));
  for (const { graph } of [model, again]) {
    const results = evaluateGraph(graph, inputs);
    for (const { name, tensor } of test.outputs.map(readTensor)) compare(test, name, results, tensor);
  }
  expect(print(readOnnx(writeOnnx(again).bytes).graph)).toBe(print(again.graph));
}

function compare(test: NodeTest, name: string, results: TensorMap, expected: Tensor): void {
  const actual = results[name];
  expect(actual?.dtype, name).toBe(expected.dtype);
  expect(actual?.shape, name).toEqual(expected.shape);
  if (actual === undefined || actual.dtype === 'string') {
    expect(actual?.data).toEqual(expected.data);
    return;
  }
  // float16 and bfloat16 cases are computed in that precision there, in float64 here.
  const half = { float16: 2e-3, bfloat16: 2e-2 }[actual.dtype as string] ?? 0;
  const [given, wanted] = [toNumbers(actual), toNumbers(expected)];
  given.forEach((number, index) => {
    const target = wanted[index] as number;
    const allowed = Math.max(test.absoluteTolerance, half) + Math.max(test.relativeTolerance, half) * Math.abs(target);
    if (Object.is(number, target) || number === target) return;
    if (Number.isFinite(target) && Math.abs(number - target) <= allowed) return;
    expect.fail(`${name}[${index}] is ${number}, expected ${target}`);
  });
}

/** Whether the test is about an element type Modelwright does not have. */
function isOfForeignType(test: NodeTest): boolean {
  try {
    readOnnx(test.model);
    return false;
  } catch (error) {
    return isModelwrightError(error, 'unsupported-dtype');
  }
}

const supported = nodeTests.filter((test) => !isRandom.test(test.name) && !isOfForeignType(test));

describe('ONNX backend tests', () => {
  it('are mostly about ops and types that Modelwright has', () => {
    const own = supported.filter(
      ({ name, model }) => failureReason(name) !== undefined || foreignNodesOf(readOnnx(model).graph).length === 0,
    );
    expect(own.length).toBeGreaterThan(nodeTests.length * 0.6);
  });

  it.each(supported.filter(({ name }) => failureReason(name) === undefined))('$name', (test) => run(test));

  it.fails.each(supported.filter(({ name }) => failureReason(name) !== undefined))('$name', (test) => run(test));
});
