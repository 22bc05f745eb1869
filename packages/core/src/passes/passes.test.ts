import { describe, expect, test } from 'vitest';
import type { Graph, Value } from '../graph/graph.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { unknownShape } from '../tensor/shape.js';
import { fromNumbers, type Tensor, type TensorMap, tensor, toNumbers } from '../tensor/tensor.js';
import { verify } from '../verify.js';
import { cancelTransposes } from './cancel-transposes.js';
import { decompose } from './decompose.js';
import { eliminateCommonSubexpressions } from './eliminate-common-subexpressions.js';
import { foldConstants } from './fold-constants.js';
import { inlineTrainingForm, toInference } from './modes.js';
import type { Pass } from './pass.js';
import { removeDeadNodes } from './remove-dead-nodes.js';
import { specialize } from './specialize.js';

function graphOf(build: (builder: GraphBuilder) => Value): Graph {
  const builder = new GraphBuilder('tested');
  builder.output('y', build(builder));
  return builder.build();
}

function ramp(shape: readonly number[]): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Array.from({ length: count }, (_, index) => Math.sin(index * 1.7)),
  );
}

function opsOf(graph: Graph): string[] {
  return graph.nodes.map(({ op }) => op);
}

function expectSameResults(pass: Pass, graph: Graph, inputs: TensorMap): Graph {
  const changed = pass.run(graph);
  verify(changed);
  expect(evaluateGraph(changed, inputs)).toEqual(evaluateGraph(graph, inputs));
  return changed;
}

describe('cancelTransposes', () => {
  const toNchw = [0, 3, 1, 2];
  const toNhwc = [0, 2, 3, 1];

  test('removes the layout changes between channels-last neighbours', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'float32', [2, 4, 5, 3]);
      const inner = b.op('Relu', [b.op('Transpose', [x], { perm: toNchw })]);
      const bias = b.constant([0.5, -0.25, 1]);
      const biased = b.op('Add', [b.op('Transpose', [inner], { perm: toNhwc }), bias]);
      return b.op('Transpose', [b.op('Sigmoid', [biased])], { perm: toNchw });
    });
    const changed = expectSameResults(cancelTransposes, graph, { x: ramp([2, 4, 5, 3]) });
    expect(opsOf(changed).filter((op) => op === 'Transpose')).toHaveLength(1);
  });

  test('maps the axis of a concatenation', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'float32', [2, 3, 4, 5]);
      const last = b.op('Transpose', [x], { perm: toNhwc });
      return b.op('Transpose', [b.op('Concat', [last, last], { axis: -1 })], { perm: toNchw });
    });
    const changed = expectSameResults(cancelTransposes, graph, { x: ramp([2, 3, 4, 5]) });
    expect(opsOf(changed)).toEqual(['Concat']);
  });

  test('leaves a transpose alone whose input has no known rank', () => {
    const builder = new GraphBuilder('unknown rank');
    const x = builder.input('x', 'float32', [2, 3]);
    const unknown = { dtype: 'float32', shape: unknownShape } as const;
    const foreign = { op: 'Foreign', domain: 'elsewhere', inputs: [x], attributes: {}, outputs: [unknown] };
    const turn = { op: 'Transpose', domain: '', inputs: builder.foreign(foreign), attributes: { perm: [1, 0] } };
    builder.output('y', builder.anyNode(turn, [unknown])[0] as Value);
    expect(opsOf(cancelTransposes.run(builder.build()))).toEqual(['Foreign', 'Transpose']);
  });

  test('keeps a transpose that nothing undoes', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'float32', [2, 3, 4, 5]);
      return b.op('Reshape', [b.op('Transpose', [x], { perm: toNhwc }), b.integers([2, 60])]);
    });
    expectSameResults(cancelTransposes, graph, { x: ramp([2, 3, 4, 5]) });
  });
});

test('foldConstants computes what depends on constants and shapes', () => {
  const graph = graphOf((b) => {
    const x = b.input('x', 'float32', [2, 6]);
    const half = b.op('Div', [b.scalar(1, 'float32'), b.scalar(2, 'float32')]);
    const shape = b.op('Shape', [x]);
    return b.op('Reshape', [b.op('Mul', [x, half]), b.op('Concat', [shape, b.integers([1])], { axis: 0 })]);
  });
  const changed = expectSameResults(foldConstants, graph, { x: ramp([2, 6]) });
  expect(opsOf(changed)).toEqual(['Mul', 'Reshape']);
});

test('eliminateCommonSubexpressions computes equal expressions once', () => {
  const graph = graphOf((b) => {
    const x = b.input('x', 'float32', [3]);
    const sum = (): Value => b.op('Add', [b.op('Exp', [x]), b.constant([1, 2, 3])]);
    return b.op('Mul', [sum(), sum()]);
  });
  const changed = expectSameResults(eliminateCommonSubexpressions, graph, { x: ramp([3]) });
  expect(opsOf(changed)).toEqual(['Exp', 'Add', 'Mul']);
});

test('removeDeadNodes keeps only what outputs need', () => {
  const graph = graphOf((b) => {
    const x = b.input('x', 'float32', [3]);
    b.op('Mul', [x, b.constant([4, 5, 6])]);
    return b.op('Neg', [x]);
  });
  const changed = expectSameResults(removeDeadNodes, graph, { x: ramp([3]) });
  expect(opsOf(changed)).toEqual(['Neg']);
  expect(changed.constants.size).toBe(0);
});

test('decompose replaces composites until simple ops are left', () => {
  const graph = graphOf((b) => b.op('Mish', [b.input('x', 'float32', [5])]));
  const changed = decompose((node) => node.op === 'Mish').run(graph);
  expect(opsOf(changed)).not.toContain('Mish');
  const x = ramp([5]);
  const [before, after] = [graph, changed].map((each) => toNumbers(evaluateGraph(each, { x })['y'] as Tensor));
  before?.forEach((value, index) => {
    expect(after?.[index]).toBeCloseTo(value, 6);
  });
});

test('specialize knows what symbols stand for behind nodes of others, too', () => {
  const graph = graphOf((builder) => {
    const x = builder.input('x', 'float32', ['batch', 4]);
    const outputs = [{ dtype: 'float32', shape: ['batch', 'other'] }] as const;
    const [y] = builder.foreign({ op: 'Magic', domain: 'com.example', inputs: [x], attributes: {}, outputs });
    return builder.op('Relu', [y as Value]);
  });
  expect(specialize(graph, { inputs: { x: [3, 4] } }).outputs[0]?.value.shape).toEqual([3, 'other']);
});

test('specialize infers every shape anew', () => {
  const graph = graphOf((b) => b.op('Transpose', [b.input('x', 'float32', ['batch', 3])], { perm: [1, 0] }));
  expect(specialize(graph, { dimensions: { batch: 8 } }).outputs[0]?.value.shape).toEqual([3, 8]);
});

describe('modes', () => {
  function dropoutGraph(): Graph {
    return graphOf((b) => b.op('Dropout', [b.input('x', 'float32', [4, 250]), b.scalar(0.25, 'float32')]));
  }

  function trained(graph: Graph, counter: bigint): Float64Array {
    const builder = new GraphBuilder('training');
    const x = builder.input('x', 'float32', [4, 250]);
    const step = builder.input('step', 'int64', []);
    const bindings = new Map([[graph.inputs[0] as Value, x]]);
    const [y] = inlineTrainingForm(builder, graph, bindings, { seed: 7, counter: step }).outputs;
    builder.output('y', y as Value);
    const ones = fromNumbers('float32', [4, 250], new Array(1000).fill(1));
    const result = evaluateGraph(builder.build(), { x: ones, step: tensor(counter) });
    return toNumbers(result['y'] as Tensor);
  }

  test('dropout is the identity in inference', () => {
    expect(opsOf(toInference.run(dropoutGraph()))).toEqual([]);
  });

  test('dropout keeps the expected share, scales what it keeps, and follows the counter', () => {
    const first = trained(dropoutGraph(), 0n);
    const kept = first.filter((value) => value !== 0);
    expect(kept.length).toBeGreaterThan(690);
    expect(kept.length).toBeLessThan(810);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.75)]));
    expect(trained(dropoutGraph(), 0n)).toEqual(first);
    expect(trained(dropoutGraph(), 1n)).not.toEqual(first);
  });

  test('a tracked statistic moves when a model trains', () => {
    const authored = new GraphBuilder('authored');
    const x = authored.input('x', 'float32', [3]);
    const largest = authored.constant([2], { name: 'largest' });
    const next = authored.op('Max', [largest, authored.op('ReduceMax', [x], { keepdims: 1 })]);
    authored.output('y', authored.op('TrackStatistic', [x, largest, next]));
    const graph = authored.build();
    expect(toInference.run(graph).nodes).toEqual([]);
    const builder = new GraphBuilder('training');
    const fed = builder.input('x', 'float32', [3]);
    const held = builder.input('largest', 'float32', [1]);
    const bindings = new Map([
      [x, fed],
      [largest, held],
    ]);
    const form = inlineTrainingForm(builder, graph, bindings, { seed: 1, counter: builder.scalar(0, 'int64') });
    expect(form.outputs).toEqual([fed]);
    expect(form.statistics.map(({ current }) => current)).toEqual([held]);
    builder.output('next', form.statistics[0]?.next as Value);
    const { next: moved } = evaluateGraph(builder.build(), { x: tensor([1, 5, 3]), largest: tensor([2]) });
    expect([...toNumbers(moved as Tensor)]).toEqual([5]);
  });

  test('batch normalization uses the batch and moves the running statistics', () => {
    const authored = new GraphBuilder('authored');
    const x = authored.input('x', 'float32', [4, 2]);
    const [scale, bias] = [authored.constant([1, 1]), authored.constant([0, 0])];
    const [mean, variance] = [authored.constant([0, 0]), authored.constant([1, 1])];
    const normalized = authored.op('BatchNormalization', [x, scale, bias, mean, variance], {
      momentum: 0.9,
      epsilon: 0,
    });
    authored.output('y', normalized);
    const graph = authored.build();
    const builder = new GraphBuilder('training');
    const fed = builder.input('x', 'float32', [4, 2]);
    const step = builder.input('step', 'int64', []);
    const form = inlineTrainingForm(builder, graph, new Map([[x, fed]]), { seed: 1, counter: step });
    builder.output('y', form.outputs[0] as Value);
    form.statistics.forEach(({ next }, index) => {
      builder.output(`next${index}`, next);
    });
    const result = evaluateGraph(builder.build(), {
      x: tensor([
        [1, 10],
        [2, 10],
        [3, 30],
        [6, 30],
      ]),
      step: tensor(0n),
    });
    // mean 3, variance 3.5; mean 20, variance 100
    const close = (name: string, expected: readonly number[]): void => {
      toNumbers(result[name] as Tensor).forEach((value, index) => {
        expect(value).toBeCloseTo(expected[index] as number, 5);
      });
    };
    close('next0', [0.3, 2]);
    close('next1', [0.9 + 0.35, 0.9 + 10]);
    close(
      'y',
      [1, 10, 2, 10, 3, 30, 6, 30].map((value, index) =>
        index % 2 ? (value - 20) / 10 : (value - 3) / Math.sqrt(3.5),
      ),
    );
  });
});
