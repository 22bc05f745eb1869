import { Tensor } from '@modelwright/core';

/** Turns rows of word ids into one number a word of the vocabulary. */
export type WordWeights = (rows: readonly (readonly number[])[]) => Tensor<'float32'>;

/**
 * How telling each word is, learnt from mails: `(1 + log count) · (1 + log(mails / mails with the word))`, rows scaled to
 * length 1 (tf-idf).
 */
export function fitWordWeights(mails: readonly (readonly number[])[], vocabularySize: number): WordWeights {
  const mailsWith = new Float64Array(vocabularySize);
  for (const mail of mails) for (const word of new Set(mail)) mailsWith[word] = (mailsWith[word] as number) + 1;
  const rarity = mailsWith.map((count) => 1 + Math.log((1 + mails.length) / (1 + count)));
  return (rows) => {
    const weights = new Float32Array(rows.length * vocabularySize);
    for (const [index, row] of rows.entries()) {
      weighWords(row, rarity, weights.subarray(index * vocabularySize, (index + 1) * vocabularySize));
    }
    return new Tensor('float32', [rows.length, vocabularySize], weights);
  };
}

function weighWords(row: readonly number[], rarity: Float64Array, into: Float32Array): void {
  for (const word of row) into[word] = (into[word] as number) + 1;
  let squares = 0;
  for (const word of new Set(row)) {
    into[word] = (1 + Math.log(into[word] as number)) * (rarity[word] as number);
    squares += (into[word] as number) ** 2;
  }
  for (const word of new Set(row)) into[word] = (into[word] as number) / Math.sqrt(squares);
}
