import { fromNumbers, GraphBuilder, Model, tensor, toNumbers } from '@modelwright/core';
import { fitWordTokenizer } from '@modelwright/text';
import { encode as encodePng } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { checkProcessing } from './check-processing.js';
import { type Processing, processingKey } from './processing.js';
import { embeddingOutputFor, imageInputFor, labelsOutputFor, textInputFor } from './processing-for.js';
import { processingOf, processorOf } from './processor.js';

const tokenizer = fitWordTokenizer(['a cat sat', 'a ship sailed far away']);
const tokenizers = new Map([['tokenizer.json', tokenizer]]);

/** Inputs as they are declared; what they compute does not matter here. */
function modelOf(
  inputs: Readonly<
    Record<string, readonly [dtype: 'int32' | 'int64' | 'float32' | 'bool', shape: readonly (string | number)[]]>
  >,
  metadata = {},
): Model {
  const builder = new GraphBuilder('given');
  const [first] = Object.entries(inputs).map(([name, [dtype, shape]]) => builder.input(name, dtype, shape));
  builder.output('scores', builder.op('Cast', [first], { to: 1 }));
  return new Model({ name: 'given', graph: builder.build(), parameters: [], metadata });
}

describe('texts', () => {
  const inputs = { ids: ['int64', ['batch', 'time']], attention_mask: ['int32', ['batch', 'time']] } as const;

  it('become ids and a mask, as long as the longest, in the dtypes of the inputs', () => {
    const model = modelOf(inputs);
    const processing = { inputs: textInputFor(model, { tokenizer: 'tokenizer.json' }) };
    expect(processing.inputs).toEqual({ ids: { kind: 'text', tokenizer: 'tokenizer.json', mask: 'attention_mask' } });
    const { encode, takesRawInputs } = processorOf({ model, processing, tokenizers });
    expect(takesRawInputs).toBe(true);
    const { ids, attention_mask: mask } = encode(['a cat', 'a ship sailed far']);
    expect([ids!.dtype, ids!.shape, mask!.dtype]).toEqual(['int64', [2, 4], 'int32']);
    expect([...toNumbers(mask!)]).toEqual([1, 1, 0, 0, 1, 1, 1, 1]);
    expect([...toNumbers(ids!)].slice(0, 2)).toEqual(tokenizer.encode('a cat'));
  });

  it('are padded and cut where the model says how long they are', () => {
    const model = modelOf({ ids: ['int32', ['batch', 3]] });
    const spec = { tokenizer: 'tokenizer.json', padding: 'pre', truncating: 'pre' } as const;
    const { encode } = processorOf({ model, processing: { inputs: textInputFor(model, spec) }, tokenizers });
    const { ids } = encode(['cat', 'a ship sailed far']);
    const [cat] = tokenizer.encode('cat');
    expect([...toNumbers(ids!)]).toEqual([
      tokenizer.padId ?? 0,
      tokenizer.padId ?? 0,
      cat,
      ...tokenizer.encode('ship sailed far'),
    ]);
  });

  it('are refused when they are too long, missing, or no texts', () => {
    const model = modelOf(inputs);
    const { encode } = processorOf({
      model,
      processing: { inputs: textInputFor(model, { tokenizer: 'tokenizer.json' }) },
      tokenizers,
    });
    expect(() => encode(['x'.repeat(2 ** 20 + 1)])).toThrow(/too long/);
    expect(() => encode([new Uint8Array(4)])).toThrow("input 'ids' is binary; it takes a text");
    expect(() => encode([{ other: 'x' }])).toThrow("input 'ids' is missing");
    expect(() => encode([])).toThrow('no example was given');
  });
});

describe('what a model does not say', () => {
  it('cannot be read: it takes tensors only', () => {
    const { encode, takesRawInputs } = processorOf({ model: modelOf({ x: ['float32', ['batch', 3]] }), tokenizers });
    expect(takesRawInputs).toBe(false);
    expect(() => encode(['x'])).toThrow("nothing says how its input 'x' is made");
  });

  it('comes from the metadata of a bare file', () => {
    const processing: Processing = {
      inputs: { x: { kind: 'image', width: 2, height: 1, channels: 1, layout: 'channelsLast' } },
    };
    const model = modelOf({ x: ['float32', ['batch', 2]] }, { [processingKey]: JSON.stringify(processing) });
    expect(processingOf(model)).toEqual(processing);
    const { x } = processorOf({ model, tokenizers }).encode([
      encodePng({ width: 2, height: 1, data: Uint8Array.of(0, 255), channels: 1 }),
    ]);
    expect([...toNumbers(x!)]).toEqual([0, 1]);
    const broken = modelOf({ x: ['float32', ['batch', 2]] }, { [processingKey]: '{"inputs":3}' });
    expect(() => processingOf(broken)).toThrow(/'inputs' in the processing of model 'given' is no object/);
  });
});

describe('answers', () => {
  const model = modelOf({ x: ['float32', ['batch', 3]] });
  const decoded = (outputs: NonNullable<Processing['outputs']>, scores: readonly (readonly number[])[]): unknown => {
    const answers = processorOf({ model, processing: { outputs }, tokenizers }).decode({ scores: tensor(scores) });
    return answers.map((answer) => answer['scores']);
  };

  it('are the best labels first, with probabilities of what are none yet', () => {
    const labels = ['a', 'b', 'c'];
    expect(decoded({ scores: { kind: 'labels', labels, top: 2 } }, [[0.25, 0.5, 0.125]])).toEqual([
      [
        { label: 'b', score: 0.5 },
        { label: 'a', score: 0.25 },
      ],
    ]);
    const [row] = decoded({ scores: { kind: 'labels', labels, activation: 'softmax' } }, [[1000, 0, 0]]) as {
      score: number;
    }[][];
    expect(row!.map(({ score }) => score)).toEqual([1, 0, 0]);
    const [two] = decoded({ scores: { kind: 'labels', labels: ['no', 'yes'], activation: 'sigmoid' } }, [
      [0],
    ]) as object[];
    expect(two).toEqual([
      { label: 'no', score: 0.5 },
      { label: 'yes', score: 0.5 },
    ]);
    expect(() => decoded({ scores: { kind: 'labels', labels: ['a'] } }, [[1, 2, 3]])).toThrow(/has 3 scores, 1 labels/);
  });

  it('are vectors of length one, or nested numbers', () => {
    expect(
      decoded(embeddingOutputFor(model), [
        [3, 0, 4],
        [0, 0, 0],
      ]),
    ).toEqual([
      [0.6, 0, 0.8],
      [0, 0, 0],
    ]);
    const { decode } = processorOf({ model, tokenizers });
    expect(decode({ scores: fromNumbers('int64', [2, 1, 2], [1, 2, 3, 4]) })).toEqual([
      { scores: [[1, 2]] },
      { scores: [[3, 4]] },
    ]);
  });
});

describe('what shapes say', () => {
  const input = (...shape: readonly (string | number)[]) => ({ name: 'x', dtype: 'float32', shape }) as const;

  it('of pictures', () => {
    expect(imageInputFor(input('n', 28, 32, 3))).toMatchObject({
      width: 32,
      height: 28,
      channels: 3,
      layout: 'channelsLast',
    });
    expect(imageInputFor(input('n', 1, 28, 32))).toMatchObject({
      width: 32,
      height: 28,
      channels: 1,
      layout: 'channelsFirst',
    });
    expect(imageInputFor(input('n', 28, 32))).toMatchObject({ width: 32, height: 28, channels: 1 });
    expect(imageInputFor(input('n', 784))).toMatchObject({ width: 28, height: 28 });
    expect(() => imageInputFor(input('n', 783))).toThrow(/does not say which pictures/);
    expect(() => imageInputFor(input('n', 'h', 'w', 3))).toThrow(/does not say which pictures/);
  });

  it('of scores: logits want a softmax, probabilities nothing', () => {
    const scored = (activation: 'Softmax' | 'Identity'): Model => {
      const builder = new GraphBuilder('scored');
      const x = builder.input('x', 'float32', ['batch', 2]);
      builder.output(
        'y',
        builder.op('Reshape', [builder.op(activation, [x]), builder.constant(tensor([-1, 2], { dtype: 'int64' }))]),
      );
      return new Model({ name: 'scored', graph: builder.build(), parameters: [] });
    };
    expect(labelsOutputFor(scored('Softmax'), ['a', 'b'])['y']?.activation).toBe('none');
    expect(labelsOutputFor(scored('Identity'), ['a', 'b'])['y']?.activation).toBe('softmax');
  });
});

it.each([
  [{ inputs: { x: null } }, /'inputs.x' .* is no object/],
  [{ inputs: { x: { kind: 'sound' } } }, /of the kind "sound"; known are image, text/],
  [{ inputs: { x: { kind: 'constructor' } } }, /of the kind "constructor"/],
  [
    { inputs: { x: { kind: 'image', width: 1e9, height: 1, channels: 1, layout: 'channelsLast' } } },
    /'width' is not a whole number/,
  ],
  [{ inputs: { x: { kind: 'text' } } }, /'tokenizer' is not a text/],
  [{ outputs: { y: { kind: 'labels', labels: [1] } } }, /'labels' is not a list of texts/],
  [[], /is no object/],
])('refuses processing that is none: %j', (given, message) => {
  expect(() => checkProcessing(given, 'a bundle')).toThrow(message);
});
