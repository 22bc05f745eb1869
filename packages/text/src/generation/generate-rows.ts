import { type CancelSignal, ModelwrightError } from '@modelwright/core';
import type { DecodingSession } from './decoding-session.js';
import type { FinishReason, GeneratedToken } from './generated-token.js';
import type { Sampler } from './sampling.js';

/** How rows go on. */
export interface GenerationRules {
  readonly sampler: Sampler;
  readonly maxTokens: number;
  readonly overflow: 'stop' | 'slide';
  /** Told of each token in turn; true ends the row. */
  readonly isStop: (row: number, tokens: readonly number[]) => boolean;
  readonly signal?: CancelSignal;
}

interface Row {
  readonly prompt: readonly number[];
  readonly tokens: number[];
  isLive: boolean;
}

/** Continues prompts in a session of their own, one token of every live row at a time. */
export async function* generateRows(
  session: DecodingSession,
  prompts: readonly (readonly number[])[],
  rules: GenerationRules,
): AsyncGenerator<GeneratedToken, void, undefined> {
  const { maxLength } = session;
  const rows = prompts.map((prompt): Row => ({ prompt, tokens: [], isLive: true }));
  const options = rules.signal === undefined ? {} : { signal: rules.signal };
  await session.reset();
  let logits = await session.feed(
    prompts.map((prompt) => prompt.slice(-maxLength)),
    options,
  );
  while (true) {
    for (const [index, row] of rows.entries())
      if (row.isLive) yield draw(session, { row, index, logits: logits[index] as Float32Array }, rules);
    if (!rows.some(({ isLive }) => isLive)) return;
    if (rules.signal?.aborted)
      throw new ModelwrightError('aborted', 'the generation was aborted', { cause: rules.signal.reason });
    const isFull = rows.some(({ isLive }, index) => isLive && session.heldBy(index) === maxLength);
    if (isFull) await session.reset();
    logits = await session.feed(
      rows.map((row) => (row.isLive ? (isFull ? newest(row, maxLength) : row.tokens.slice(-1)) : [])),
      // One token takes too little time to be broken off: looking between two is enough, and a run without a signal is quicker.
      isFull ? options : {},
    );
  }
}

function draw(
  session: DecodingSession,
  { row, index, logits }: { row: Row; index: number; logits: Float32Array },
  rules: GenerationRules,
): GeneratedToken {
  const history = rules.sampler.readsHistory ? [...row.prompt, ...row.tokens] : [];
  const { token, logProbability } = rules.sampler.draw(logits, { row: index, step: row.tokens.length, history });
  row.tokens.push(token);
  const isFull = rules.overflow === 'stop' && session.heldBy(index) === session.maxLength;
  const finish: FinishReason | undefined = rules.isStop(index, row.tokens)
    ? 'stop'
    : row.tokens.length >= rules.maxTokens
      ? 'maxTokens'
      : isFull
        ? 'maxLength'
        : undefined;
  row.isLive = finish === undefined;
  return { row: index, token, logProbability, ...(finish === undefined ? {} : { finish }) };
}

/** The newer half of what fits, so that a row slides only every so often. */
function newest({ prompt, tokens }: Row, maxLength: number): readonly number[] {
  return [...prompt, ...tokens].slice(-Math.max(1, Math.floor(maxLength / 2)));
}
