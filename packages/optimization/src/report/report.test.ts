import {
  castTensor,
  fromNumbers,
  GraphBuilder,
  inferenceProgram,
  type Model,
  specialize,
  tensor,
  zeros,
} from '@modelwright/core';
import { conv2d, conv2dTranspose, dense, depthwiseConv2d, flatten, lstm, sequential } from '@modelwright/models';
import { describe, expect, test } from 'vitest';
import { foldExtents } from '../pipeline/fold-extents.js';
import { estimateMedian, shareInterval } from './confidence.js';
import { multiplyAddsOf } from './multiply-adds.js';
import { peakMemoryOf } from './peak-memory.js';
import type { OptimizationRecord, StageRecord } from './record.js';
import { recordKey, recordOf, withoutRecord, withRecord } from './record-in-metadata.js';
import { OptimizationReport } from './report.js';
import { countWeights } from './weight-counts.js';

const costOf = (model: Model, batch = 1): number | undefined => {
  const { graph } = inferenceProgram(model);
  return multiplyAddsOf(specialize(graph, { dimensions: { batch } }));
};

describe('multiply-adds', () => {
  test.each([
    [
      'a convolution',
      sequential({ inputShape: [8, 8, 3], layers: [conv2d({ filters: 5, kernelSize: 3 })] }),
      36 * 5 * 27,
    ],
    [
      'each channel by itself',
      sequential({ inputShape: [8, 8, 3], layers: [depthwiseConv2d({ kernelSize: 3 })] }),
      36 * 3 * 9,
    ],
    [
      'upwards',
      sequential({ inputShape: [4, 4, 3], layers: [conv2dTranspose({ filters: 5, kernelSize: 2, strides: 2 })] }),
      16 * 3 * 5 * 4,
    ],
    ['products', sequential({ inputShape: [4, 6], layers: [flatten(), dense({ units: 7 })] }), 24 * 7],
    ['each step', sequential({ inputShape: [4, 6], layers: [dense({ units: 7 })] }), 4 * 6 * 7],
    ['recurrent', sequential({ inputShape: [4, 6], layers: [lstm({ units: 5 })] }), 4 * (6 + 5) * 20],
  ])('%s', (_what, model, expected) => {
    expect(costOf(model)).toBe(expected);
    expect(costOf(model, 3)).toBe(expected * 3);
  });

  test('of loops as often as they run, of branches the costlier one; unknown extents are said to be unknown', () => {
    const scan = sequential({ inputShape: [4, 6], layers: [lstm({ units: 5, activation: 'relu' })] });
    expect(costOf(scan)).toBe(4 * (6 + 5) * 20);
    const open = sequential({ inputShape: [null, 6], layers: [lstm({ units: 5 })] } as never);
    expect(costOf(open)).toBeUndefined();
  });
});

test('paddings that a graph computes from shapes are known', () => {
  const builder = new GraphBuilder('padded');
  const x = builder.input('x', 'float32', [1, 2, 4, 4]);
  const zero = builder.op('Sub', [builder.op('Shape', [x]), builder.op('Shape', [x])]);
  const ends = builder.op('Add', [zero, builder.integers([0, 0, 1, 2])]);
  const padded = builder.op('Pad', [x, builder.op('Concat', [zero, ends], { axis: 0 })]);
  const weight = builder.op('DequantizeLinear', [
    builder.constant(zeros('int8', [3, 2, 1, 1])),
    builder.scalar(1, 'float32'),
  ]);
  builder.output('y', builder.op('Conv', [padded, weight]));
  const graph = foldExtents(builder.build());
  expect(multiplyAddsOf(graph)).toBe(5 * 6 * 3 * 2);
  expect(graph.nodes.map(({ op }) => op)).toContain('DequantizeLinear');
});

describe('weights', () => {
  test('that are zero, and quantized ones without their scales', () => {
    const builder = new GraphBuilder('quantized');
    const x = builder.input('x', 'float32', [2, 3]);
    const codes = castTensor(
      tensor([
        [5, 7],
        [5, 9],
        [1, 5],
      ]),
      'int8',
    );
    const [scale, zeroPoint] = [
      builder.constant(tensor([0.1, 0.2])),
      builder.constant(castTensor(tensor([5, 7]), 'int8')),
    ];
    const weight = builder.op('DequantizeLinear', [builder.constant(codes), scale, zeroPoint], { axis: 1 });
    const bias = builder.constant(tensor([0, 3]));
    builder.output('y', builder.op('Add', [builder.op('MatMul', [x, weight]), bias]));
    // Zero points are 5 in the first column and 7 in the second.
    expect(countWeights(builder.build())).toMatchObject({ weights: 8, nonZeroWeights: 4 });
  });

  test('literals that steer the graph are none', () => {
    const builder = new GraphBuilder('steered');
    const x = builder.input('x', 'float32', [2, 3]);
    builder.output(
      'y',
      builder.op('Reshape', [builder.op('Mul', [x, builder.scalar(2, 'float32')]), builder.integers([6])]),
    );
    expect(countWeights(builder.build())).toEqual({ weights: 0, nonZeroWeights: 0, weightBytes: 0 });
  });
});

test('memory is what must be there at once', () => {
  const builder = new GraphBuilder('chain');
  const x = builder.input('x', 'float32', [100]);
  const wide = builder.op('Concat', [x, x, x], { axis: 0 });
  const flat = builder.op('Reshape', [wide, builder.integers([300])]);
  const sum = builder.op('ReduceSum', [builder.op('Relu', [flat])]);
  builder.output('y', builder.op('Add', [sum, builder.constant(zeros('float32', [10]))]));
  // At the worst moment the wide value and its relu: 600 numbers.
  expect(peakMemoryOf(builder.build())).toMatchObject({ activationBytes: 2400 });
});

describe('ranges', () => {
  test('of a share hold the true one in 95 of 100 samples', () => {
    let state = 1;
    const random = (): number => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    let held = 0;
    for (let trial = 0; trial < 400; trial++) {
      const right = Array.from({ length: 50 }, random).filter((value) => value < 0.9).length;
      const { low, high } = shareInterval(right / 50, 50);
      if (low <= 0.9 && high >= 0.9) held++;
    }
    expect(held / 400).toBeGreaterThan(0.92);
    expect(shareInterval(1, 10).high).toBeCloseTo(1, 12);
    expect(shareInterval(1, 10).low).toBeLessThan(0.8);
  });

  test('of a median hold it in 95 of 100 samples, at any number of values', () => {
    let state = 7;
    const random = (): number => {
      state = (state * 48271) % 2147483647;
      return -Math.log(state / 2147483647);
    };
    for (const count of [9, 40, 1200]) {
      let held = 0;
      for (let trial = 0; trial < 200; trial++) {
        const { low, high } = estimateMedian(Array.from({ length: count }, random));
        if (low <= Math.LN2 && high >= Math.LN2) held++;
      }
      expect(held / 200).toBeGreaterThan(0.9);
    }
  });

  test('of few values are all of them', () => {
    expect(estimateMedian([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3, count: 3 });
    expect(estimateMedian([4, 1, 2, 3]).median).toBe(2.5);
  });
});

const stage = (name: string, more: Partial<StageRecord> = {}): StageRecord => ({
  ...{
    name,
    seconds: 1,
    fileBytes: 4000,
    compressedBytes: 3000,
    weights: 1000,
    nonZeroWeights: 1000,
    weightBytes: 4000,
  },
  ...{ speeds: [], notes: [] },
  ...more,
});

describe('the report', () => {
  const record: OptimizationRecord = {
    ...{ format: 'modelwright-optimization', version: 1, model: 'a <b> & "c"', date: '2026-01-01T00:00:00.000Z' },
    stages: [
      stage('original', { quality: { name: 'accuracy', value: 0.98, count: 100, low: 0.93, high: 0.99 } }),
      stage('half', { fileBytes: 2000, nonZeroWeights: 250, notes: ['</script><b>bold</b>'] }),
    ],
  };

  test('prints what is there and leaves out what is not', () => {
    const printed: string[] = [];
    new OptimizationReport(record).print((text) => printed.push(text));
    expect(printed[0]).toContain('98.00 % (93.0 … 99.0)');
    expect(printed[0]).toMatch(/half +2\.00 kB +2\.00× .* 75\.0 %/);
    expect(printed[0]).not.toContain('multiply-adds  ');
    expect(printed[0]).not.toContain('Speed on');
  });

  test('is a page of its own in which no name becomes markup', () => {
    const page = new OptimizationReport(record).toHTML();
    expect(page).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(page).not.toContain('<b>bold');
    expect(page.match(/<\/script>/g)).toHaveLength(1);
    expect(page).not.toMatch(/(src|href)=/);
    const [, embedded = ''] = /<script type="application\/json" id="record">(.*)<\/script>/s.exec(page) ?? [];
    expect(JSON.parse(embedded)).toEqual(record);
  });

  test('stands in the model, until it is taken out', () => {
    const model = sequential({ inputShape: [2], layers: [dense({ units: 1 })] });
    const recorded = withRecord(model, record);
    expect(recordOf(recorded)).toEqual(record);
    expect(recordOf(withoutRecord(recorded))).toBeUndefined();
    expect(JSON.parse(JSON.stringify(new OptimizationReport(record)))).toEqual(record);
    recorded.setWeights({ 'dense.bias': fromNumbers('float32', [1], [5]) });
    expect(model.getWeights()['dense.bias']?.data[0]).toBe(0);
  });

  test.each(['no json', 'null', '{}', '{"format":"modelwright-optimization","version":1,"stages":[{"name":3}]}'])(
    'of a file that holds %s there is none',
    (text) => {
      const { name, graph, parameters } = sequential({ inputShape: [2], layers: [dense({ units: 1 })] });
      const builder = { name, graph, parameters, metadata: { [recordKey]: text } };
      expect(recordOf(builder as never)).toBeUndefined();
    },
  );
});
