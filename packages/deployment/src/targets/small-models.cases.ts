import { GraphBuilder, Model, tensor, type Value } from '@modelwright/core';
import { fitWordTokenizer, type Tokenizer } from '@modelwright/text';
import type { Processing } from '../processing/processing.js';

/**
 * A picture's brighter half: its answers are known by how it is made.
 *
 * @param ballast - So many random weights beside, which change nothing.
 */
export function brighterHalf(ballast = 0): { readonly model: Model; readonly processing: Processing } {
  const [height, width] = [8, 8];
  const builder = new GraphBuilder('brighter half');
  const picture = builder.input('picture', 'float32', ['batch', 3, height, width]);
  const halves = Float32Array.from({ length: 3 * height * width * 2 }, (_, index) => {
    const isLeft = Math.floor(index / 2) % width < width / 2;
    return isLeft === (index % 2 === 0) ? 1 : 0;
  });
  const weights = builder.constant(tensor(halves, { shape: [3 * height * width, 2] }), { name: 'halves' });
  const flat = builder.op('Flatten', [picture], { axis: 1 });
  const scores = builder.op('Softmax', [builder.op('MatMul', [flat, weights])], { axis: 1 });
  builder.output('scores', ballast === 0 ? scores : builder.op('Add', [scores, nothingOf(builder, ballast)]));
  return {
    model: new Model({ name: 'brighter half', graph: builder.build(), parameters: [] }),
    processing: {
      inputs: { picture: { kind: 'image', width, height, channels: 3, layout: 'channelsFirst' } },
      outputs: { scores: { kind: 'labels', labels: ['left', 'right'] } },
    },
  };
}

/** Zero, computed from random weights, which do not compress. */
function nothingOf(builder: GraphBuilder, count: number): Value {
  const random = Float32Array.from({ length: count }, Math.random);
  const weights = builder.constant(tensor(random, { shape: [count] }), { name: 'ballast' });
  return builder.op('Mul', [builder.op('ReduceMax', [weights], { keepdims: 0 }), builder.scalar(0, 'float32')]);
}

/** Whether a text is of cats or of ships: each word has a vote. */
export function catsOrShips(): {
  readonly model: Model;
  readonly processing: Processing;
  readonly tokenizer: Tokenizer;
} {
  const tokenizer = fitWordTokenizer(['the cat purrs', 'the ship sails']);
  const votes = new Float32Array(2 * tokenizer.vocabularySize);
  for (const [side, words] of [
    ['cat', 'purrs'],
    ['ship', 'sails'],
  ].entries()) {
    for (const word of words) votes[2 * (tokenizer.idOf(word) as number) + side] = 2;
  }
  const builder = new GraphBuilder('cats or ships');
  const ids = builder.input('ids', 'int32', ['batch', 6]);
  const table = builder.constant(tensor(votes, { shape: [tokenizer.vocabularySize, 2] }), { name: 'votes' });
  const axes = builder.constant(tensor([1], { dtype: 'int64' }));
  const sum = builder.op('ReduceSum', [builder.op('Gather', [table, ids], { axis: 0 }), axes], { keepdims: 0 });
  builder.output('scores', builder.op('Softmax', [sum], { axis: 1 }));
  return {
    model: new Model({ name: 'cats or ships', graph: builder.build(), parameters: [] }),
    tokenizer,
    processing: {
      inputs: { ids: { kind: 'text', tokenizer: 'tokenizer.json', maxLength: 6, padTo: 6 } },
      outputs: { scores: { kind: 'labels', labels: ['cats', 'ships'] } },
    },
  };
}
