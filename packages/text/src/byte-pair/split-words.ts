/**
 * How GPT-2 cuts a text before pairs are merged: English contractions, letters, digits and other marks (each with the space
 * before it), and runs of white space. Joined again the pieces are the text.
 *
 * @see Radford et al., "Language Models are Unsupervised Multitask Learners", §2.2.
 */
const pieces =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The pieces of `text` within which byte pairs are merged. */
export function splitWords(text: string): readonly string[] {
  return text.match(pieces) ?? [];
}
