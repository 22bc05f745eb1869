import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { backpropagate } from '../gradient/backpropagate.js';
import type { Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { fromNumbers, type Tensor, type TensorMap, toNumbers } from '../tensor/tensor.js';
import type { OpName } from './registry.js';

/** What `fixtures/torch-ops.py` writes. */
interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Fixture {
  readonly name: string;
  readonly op: OpName;
  readonly attributes: object;
  readonly inputs: readonly Packed[];
  /** Further inputs: integer vectors, or none. */
  readonly extra: readonly (readonly number[] | null)[];
  readonly outputs: number;
  readonly y: Packed;
  readonly dy: Packed;
  readonly gradients: readonly Packed[];
}

const path = new URL('../../fixtures/torch-ops.json', import.meta.url);
const fixtures = JSON.parse(readFileSync(path, 'utf8')) as readonly Fixture[];

const unpacked = ({ shape, data }: Packed): Tensor => fromNumbers('float64', shape, data);

/** The op and its gradient, evaluated: `y`, `dx0`, `dx1`, … */
function run(fixture: Fixture): TensorMap {
  const builder = new GraphBuilder(fixture.name);
  const fed: { [name: string]: Tensor } = {};
  const feed = (name: string, packed: Packed): Value => {
    fed[name] = unpacked(packed);
    return builder.input(name, 'float64', packed.shape);
  };
  const inputs = fixture.inputs.map((input, index) => feed(`x${index}`, input));
  const extra = fixture.extra.map((values) => (values === null ? undefined : builder.integers(values)));
  const [y] = builder.node(fixture.op, [...inputs, ...extra], fixture.attributes, { outputs: fixture.outputs });
  const seed = { value: y as Value, gradient: feed('dy', fixture.dy) };
  builder.output('y', y as Value);
  backpropagate(builder, [seed], inputs).forEach((gradient, index) => {
    builder.output(`dx${index}`, gradient);
  });
  return evaluateGraph(builder.build(), fed);
}

/** Largest difference, relative to the largest expected element. */
function distance(actual: Tensor | undefined, expected: Packed): number {
  expect(actual?.shape).toEqual(expected.shape);
  const values = toNumbers(actual as Tensor);
  const scale = Math.max(...expected.data.map(Math.abs), 1e-3);
  return Math.max(...expected.data.map((value, at) => Math.abs(value - (values[at] as number)))) / scale;
}

describe('equals PyTorch', () => {
  test.each(fixtures.map((fixture) => [fixture.name, fixture] as const))('%s', (_, fixture) => {
    const results = run(fixture);
    expect(distance(results['y'], fixture.y)).toBeLessThan(1e-9);
    fixture.gradients.forEach((gradient, index) => {
      expect(distance(results[`dx${index}`], gradient), `gradient of input ${index}`).toBeLessThan(1e-9);
    });
  });
});
