import {
  createReferenceBackend,
  evaluateGraph,
  type Model,
  onnxDataType,
  type Tensor,
  tensor,
  toNumbers,
  verify,
} from '@modelwright/core';
import {
  add,
  bertEncoder,
  conv1d,
  customLayer,
  dense,
  embedding,
  globalAveragePooling1d,
  input,
  type Layer,
  lstm,
  model,
  type SymbolicTensor,
  sequential,
  sinePositionEncoding,
  transformerDecoder,
  transformerEncoder,
} from '@modelwright/models';
import { describe, expect, test } from 'vitest';
import { type DecodingOptions, decodingProgram } from './decoding-program.js';
import { tinyGpt } from './tiny-gpt.cases.js';

const reference = createReferenceBackend();

describe.each([
  { name: 'learned positions', model: tinyGpt({ positions: 'learned' }) },
  { name: 'rotary positions', model: tinyGpt({ positions: 'rotary' }) },
  { name: 'shared key heads', model: tinyGpt({ positions: 'rotary', keyHeads: 2 }) },
  { name: 'a sliding window', model: tinyGpt({ positions: 'learned', window: 3 }) },
])('with $name', ({ model }) => {
  const rows = [
    [3, 1, 4, 1, 5, 9, 2, 6],
    [2, 7, 1, 8],
    [11, 0, 28, 17, 5, 3],
  ];

  test('a prompt of uneven rows, then token by token, gives the logits of the whole', async () => {
    const chunk = decodingProgram(model, { batch: 3, chunk: 5, maxLength: 16 });
    const step = decodingProgram(model, { batch: 3, maxLength: 16 });
    verify(chunk.graph);
    verify(step.graph);
    const reading = await reference.compile(chunk);
    const stepping = await reference.compile(step, { shareState: reading });
    const lengths = [5, 2, 4];
    const prompt = rows.map((row, index) => [...row.slice(0, lengths[index]), 9, 9, 9, 9, 9].slice(0, 5));
    const first = await reading.run({
      tokens: tensor(prompt, { dtype: 'int32' }),
      lengths: tensor(lengths, { dtype: 'int64' }),
    });
    await expectLogits(
      model,
      first['logits'] as Tensor,
      rows.map((row, index) => row.slice(0, lengths[index])),
    );
    for (const held of [6, 7, 8]) {
      const counts = rows.map(({ length }, index) => Number((lengths[index] as number) + held - 6 < length));
      const next = rows.map((row, index) => row[(lengths[index] as number) + held - 6] ?? 0);
      const result = await stepping.run({
        tokens: tensor(
          next.map((id) => [id]),
          { dtype: 'int32' },
        ),
        lengths: tensor(counts, { dtype: 'int64' }),
      });
      const seen = rows.map((row, index) => row.slice(0, (lengths[index] as number) + held - 5));
      await expectLogits(model, result['logits'] as Tensor, seen, counts);
    }
    const { position } = await stepping.readState(['position']);
    expect([...(position as Tensor).data].map(Number)).toEqual([8, 4, 6]);
  });
});

async function expectLogits(model: Model, logits: Tensor, rows: number[][], counts?: number[]): Promise<void> {
  const vocabulary = logits.shape[1] as number;
  for (const [index, row] of rows.entries()) {
    if (counts?.[index] === 0) continue;
    const whole = evaluateGraph(model.graph, { tokens: tensor([row], { dtype: 'int32' }) })['logits'] as Tensor;
    const expected = toNumbers(whole).slice(-vocabulary);
    const given = toNumbers(logits).slice(index * vocabulary, (index + 1) * vocabulary);
    expect(Math.max(...expected.map((value, at) => Math.abs(value - (given[at] as number))))).toBeLessThan(1e-6);
  }
}

describe('positions of other making', () => {
  const size = { numHeads: 2, intermediateDim: 16, normalizeFirst: true } as const;
  const decoder = (place: (x: SymbolicTensor) => SymbolicTensor): Model => {
    const tokens = input({ name: 'tokens', shape: [null], dtype: 'int32' });
    const embedded = embedding({ inputDim: 11, outputDim: 8 })(tokens);
    const mixed = transformerDecoder(size)(place(embedded));
    return model({ inputs: tokens, outputs: { logits: dense({ units: 11, activation: 'softmax' })(mixed) } });
  };
  // What exporters write: as many positions as there are tokens, looked up in a table.
  const counted = customLayer(({ builder, addWeight }, x) => {
    const count = builder.op('Squeeze', [builder.op('Shape', [x], { start: 1, end: 2 }), builder.integers([0])]);
    const places = builder.op('Range', [builder.scalar(0, 'int64'), count, builder.scalar(1, 'int64')]);
    const table = addWeight({ name: 'table', shape: [20, 8], initializer: 'randomUniform' });
    return builder.op('Add', [
      x,
      builder.op('Unsqueeze', [builder.op('Gather', [table, places]), builder.integers([0])]),
    ]);
  });

  test.each([
    ['sines and cosines', decoder((x) => add()(x, sinePositionEncoding()(x)))],
    ['a range up to the length', decoder((x) => counted(x))],
  ])('%s', async (_, made) => {
    const rows = [
      [3, 1, 4, 1, 5],
      [9, 2],
    ];
    const executable = await reference.compile(decodingProgram(made, { batch: 2, chunk: 3, maxLength: 12 }));
    for (const start of [0, 3]) {
      const counts = rows.map(({ length }) => Math.min(Math.max(length - start, 0), 3));
      const ids = rows.map((row) => [0, 1, 2].map((place) => row[start + place] ?? 0));
      const lengths = tensor(counts, { dtype: 'int64' });
      const { logits } = await executable.run({ tokens: tensor(ids, { dtype: 'int32' }), lengths });
      for (const [index, row] of rows.entries()) {
        if (counts[index] === 0) continue;
        const seen = tensor([row.slice(0, start + 3)], { dtype: 'int32' });
        const whole = toNumbers(evaluateGraph(made.graph, { tokens: seen })['logits'] as Tensor).slice(-11);
        const given = toNumbers(logits as Tensor).slice(index * 11, (index + 1) * 11);
        // The model ends with a softmax, which decoding leaves out.
        const sum = given.reduce((total, logit) => total + Math.exp(logit), 0);
        for (const [token, logit] of given.entries())
          expect(Math.exp(logit) / sum).toBeCloseTo(whole[token] as number, 6);
      }
    }
  });
});

describe('refuses', () => {
  const ofLayers = (...layers: Layer[]): Model =>
    sequential({
      inputShape: [null],
      inputDType: 'int32',
      layers: [embedding({ inputDim: 11, outputDim: 8 }), ...layers],
    });
  const block = { numHeads: 2, intermediateDim: 16 };
  const shifted = customLayer(({ builder }, x) => {
    const [pads, starts, ends, axes] = [[1, 0], [0], [-1], [1]].map((list) => builder.integers(list));
    return builder.op('Slice', [builder.op('Pad', [x, pads, undefined, axes]), starts, ends, axes]);
  });
  const byHand = customLayer(({ builder }, x) => {
    const scores = builder.op('MatMul', [x, builder.op('Transpose', [x], { perm: [0, 2, 1] })]);
    return builder.op('MatMul', [builder.op('Trilu', [scores], { upper: 0 }), x]);
  });
  const summed = customLayer(({ builder }, x) => builder.op('CumSum', [x, builder.scalar(1, 'int64')]));
  const masked = sequential({
    inputShape: [null],
    inputDType: 'int32',
    layers: [embedding({ inputDim: 11, outputDim: 8, maskZero: true }), transformerDecoder(block)],
  });

  test.each<[string, Model, DecodingOptions, string, string]>([
    ['attention that is not causal', ofLayers(transformerEncoder(block)), {}, 'unsupported-op', 'it is not causal'],
    ['a mask of padding', masked, {}, 'unsupported-op', 'it has a mask'],
    [
      'a recurrent layer',
      ofLayers(lstm({ units: 4, returnSequences: true })),
      {},
      'unsupported-op',
      'mixes the positions',
    ],
    ['a convolution', ofLayers(conv1d({ filters: 4, kernelSize: 3, padding: 'causal' })), {}, 'unsupported-op', 'Conv'],
    [
      'features of the token before',
      ofLayers(shifted, dense({ units: 3 })),
      {},
      'unsupported-op',
      'mixes the positions',
    ],
    ['attention written by hand', ofLayers(byHand, dense({ units: 3 })), {}, 'unsupported-op', 'mixes the positions'],
    ['a running sum', ofLayers(summed, dense({ units: 3 })), {}, 'unsupported-op', 'CumSum'],
    [
      'a sum over all positions',
      ofLayers(globalAveragePooling1d(), dense({ units: 3 })),
      {},
      'invalid-model',
      'logits',
    ],
    [
      'another input',
      bertEncoder({ layers: 1, heads: 2, width: 8, vocabularySize: 9 }),
      {},
      'invalid-model',
      'one input',
    ],
    ['an output that is not there', tinyGpt({ positions: 'rotary' }), { output: 'x' }, 'invalid-model', "output 'x'"],
    [
      'no limit',
      ofLayers(transformerDecoder(block)),
      { maxLength: undefined as never },
      'invalid-argument',
      "'maxLength'",
    ],
    ['more than a table has', tinyGpt({ positions: 'learned' }), { maxLength: 49 }, 'invalid-argument', '48 positions'],
    ['no rows', tinyGpt({ positions: 'learned' }), { batch: 0 }, 'invalid-argument', "'batch'"],
  ])('%s', (_, made, options, code, message) => {
    const decode = (): unknown => decodingProgram(made, { maxLength: 16, ...options });
    expect(decode).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});

test('logits of half precision come out as float32', () => {
  const tokens = input({ name: 'tokens', shape: [null], dtype: 'int32' });
  const half = customLayer(({ builder }, x) => builder.op('Cast', [x], { to: onnxDataType('float16') }));
  const mixed = transformerDecoder({ numHeads: 2, intermediateDim: 16 })(
    half(embedding({ inputDim: 5, outputDim: 8 })(tokens)),
  );
  const program = decodingProgram(model({ inputs: tokens, outputs: mixed }), { maxLength: 8, chunk: 'time' });
  verify(program.graph);
  expect(program.graph.outputs[0]?.value).toMatchObject({ dtype: 'float32', shape: [1, 8] });
  expect(program.state.map(({ initial }) => initial.dtype)).toEqual(['int64', 'float16', 'float16']);
});
