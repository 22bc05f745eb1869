import { readdirSync, readFileSync } from 'node:fs';
import { type DType, type Tensor, type TensorMap, tensor, toNumbers } from '@modelwright/core';
import { expect } from 'vitest';

const folder = new URL('../fixtures/models/', import.meta.url);

interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A model file with inputs and the outputs ONNX Runtime gives for them. */
export interface Fixture {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly inputs: TensorMap;
  readonly outputs: TensorMap;
}

export const fixtureNames: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith('.onnx'))
  .map((file) => file.slice(0, -'.onnx'.length));

export function fixturePath(file: string): URL {
  return new URL(file, folder);
}

export function loadFixture(name: string): Fixture {
  const record = JSON.parse(readFileSync(fixturePath(`${name}.json`), 'utf8')) as Record<
    'inputs' | 'outputs',
    Record<string, StoredTensor>
  >;
  return {
    name,
    bytes: new Uint8Array(readFileSync(fixturePath(`${name}.onnx`))),
    inputs: tensors(record.inputs),
    outputs: tensors(record.outputs),
  };
}

/** The data files beside a fixture, as `readOnnx` takes them. */
export function externalDataOf(name: string): Record<string, Uint8Array> {
  const files = readdirSync(folder).filter((file) => file === `${name}.onnx.data`);
  return Object.fromEntries(files.map((file) => [file, new Uint8Array(readFileSync(fixturePath(file)))]));
}

function tensors(stored: Record<string, StoredTensor>): TensorMap {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { dtype, shape, data }]) => [name, tensor(data, { dtype, shape })]),
  );
}

/** Compares with the tolerance of float32 arithmetic over short sums. */
export function expectTensorsClose(actual: TensorMap, expected: TensorMap): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, wanted] of Object.entries(expected)) expectClose(actual[name] as Tensor, wanted, name);
}

function expectClose(actual: Tensor, expected: Tensor, name: string): void {
  expect(actual.dtype, name).toBe(expected.dtype);
  expect(actual.shape, name).toEqual(expected.shape);
  const [given, wanted] = [toNumbers(actual), toNumbers(expected)];
  given.forEach((number, index) => {
    const target = wanted[index] as number;
    const isClose = Object.is(number, target) || Math.abs(number - target) <= 1e-6 + 1e-5 * Math.abs(target);
    if (!isClose) expect.fail(`${name}[${index}] is ${number}, expected ${target}`);
  });
}
