import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromNumbers, GraphBuilder, Model, toNumbers } from '@modelwright/core';
import { fitWordTokenizer } from '@modelwright/text';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyModel } from '../../test/command-line.js';
import { encodeNpz } from '../files/npz.js';
import { encodePng } from '../files/png.js';
import { goldenFrom } from './golden-from-options.js';
import { processingFrom } from './processing-from-options.js';

let folder: string;
const at = (file: string): string => join(folder, file);
const tokenizer = fitWordTokenizer(['good bad ugly']);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'modelwright-options-'));
  writeFileSync(at('labels.txt'), 'low\r\nmiddle\nhigh\n');
  writeFileSync(at('labels.json'), '["low","middle","high"]');
  writeFileSync(at('tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(at('white.png'), encodePng(fromNumbers('float32', [8, 8], new Float32Array(64).fill(1)), 'white.png'));
  const examples = Float32Array.from({ length: 7 * 64 }, (_, index) => Math.floor(index / 64));
  writeFileSync(at('examples.npz'), encodeNpz({ image: fromNumbers('float32', [7, 1, 8, 8], examples) }));
});
afterAll(() => rmSync(folder, { recursive: true }));

function textModel(): Model {
  const builder = new GraphBuilder('mood');
  const ids = builder.input('ids', 'int64', ['batch', 'length']);
  builder.output('vector', builder.op('Cast', [ids], { to: 1 }));
  return new Model({ name: 'mood', graph: builder.build(), parameters: [] });
}

test.each(['low,middle, high', 'labels.txt', 'labels.json'])(
  'labels are written out or in a file: %s',
  async (labels) => {
    const given = labels.includes('.') ? at(labels) : labels;
    const { processing } = await processingFrom(tinyModel(), { labels: given });
    expect(processing?.outputs).toEqual({
      scores: { kind: 'labels', labels: ['low', 'middle', 'high'], activation: 'none' },
    });
  },
);

test('words say how a picture becomes the input, a file says all', async () => {
  const { processing, notes } = await processingFrom(tinyModel(), { image: 'invert,contain' });
  expect(processing?.inputs).toEqual({
    image: { kind: 'image', width: 8, height: 8, channels: 1, layout: 'channelsFirst', invert: true, fit: 'contain' },
  });
  expect(notes).toEqual([]);
  writeFileSync(at('processing.json'), JSON.stringify(processing));
  expect((await processingFrom(tinyModel(), { processing: at('processing.json') })).processing).toEqual({
    ...processing,
    outputs: {},
  });
  expect((await processingFrom(tinyModel(), {})).notes).toEqual([expect.stringContaining('tensors only')]);
});

test('a tokenizer makes texts of the ids, for vectors and for texts that go on', async () => {
  const given = await processingFrom(textModel(), { tokenizer: at('tokenizer.json'), maxLength: '12', embeds: true });
  expect(given.processing).toEqual({
    inputs: { ids: { kind: 'text', tokenizer: 'tokenizer.json', maxLength: 12 } },
    outputs: { vector: { kind: 'embedding', normalize: true } },
  });
  expect(given.tokenizers['tokenizer.json']?.encode('bad')).toEqual(tokenizer.encode('bad'));
  const generating = await processingFrom(textModel(), { tokenizer: at('tokenizer.json'), generates: true });
  expect(generating.processing?.outputs).toEqual({ vector: { kind: 'generation', tokenizer: 'tokenizer.json' } });
});

test.each([
  [{ image: 'upside-down' }, /'upside-down' is none of invert/],
  [{ labels: 'one,two' }, /has 3 scores, 2 labels/],
  [{ labels: 'nowhere.txt' }, /cannot read 'nowhere.txt'/],
  [{ generates: true }, /takes a tokenizer/],
])('what does not fit is said: %j', async (options, message) => {
  await expect(processingFrom(tinyModel(), options)).rejects.toThrow(message);
});

test('the proof has the first examples of an archive, one a case', async () => {
  const model = tinyModel();
  const { golden } = await goldenFrom(model, { golden: [{ file: at('examples.npz') }] }, { tokenizers: {}, notes: [] });
  expect(golden.inputs?.map(({ image }) => [image?.shape, toNumbers(image!)[0]])).toEqual(
    [0, 1, 2, 3, 4].map((example) => [[1, 1, 8, 8], example]),
  );
});

test('pictures for the proof are read as the deployed model reads them', async () => {
  const model = tinyModel();
  const given = await processingFrom(model, { image: 'invert' });
  const { golden } = await goldenFrom(model, { golden: [{ file: at('white.png') }] }, given);
  expect([...toNumbers(golden.inputs![0]!['image']!)]).toEqual(new Array(64).fill(0));
});
