import { ModelwrightError } from '@modelwright/core';
import type { DecodingPlan, RowDecoder } from '../generation/row-decoder.js';
import type { HostLine, LoadedHost } from './host-line.js';

/** Where a decoder lives: a thread or process that is replaced when it is lost. */
export interface DecoderHost {
  /** @throws {@link ModelwrightError} `model-unavailable` if it was lost on the way. */
  use<Result>(
    task: (line: HostLine) => Promise<Result>,
    options?: { readonly isWanted?: () => boolean },
  ): Promise<Result>;
  dispose(): Promise<void>;
}

/** A decoder of a thread or process, which this side tells how much each row holds. */
export function hostDecoder(plan: DecodingPlan, { decoder }: LoadedHost, host: DecoderHost): RowDecoder {
  if (decoder === undefined) throw new ModelwrightError('backend-failure', 'the host of the model does not decode');
  const held = new Array<number>(plan.batch).fill(0);
  const heldBy = (row: number): number => held[row] as number;
  return {
    ...plan,
    ...decoder,
    heldBy,
    rewind: (row, length) => {
      held[row] = Math.min(length, heldBy(row));
    },
    feed: async (given, options) => {
      const rows = given.map(({ row, tokens }) => {
        return { row, held: heldBy(row), tokens: Array.from(tokens).slice(0, decoder.longestChunk) };
      });
      try {
        const scores = await host.use((line) => line.feed(rows), options);
        for (const { row, tokens } of rows) held[row] = heldBy(row) + tokens.length;
        return new Map(
          rows.map(({ row }, index) => {
            const start = index * decoder.vocabularySize;
            return [row, scores.slice(start, start + decoder.vocabularySize)];
          }),
        );
      } catch (error) {
        held.fill(0);
        throw error;
      }
    },
    dispose: () => host.dispose(),
  };
}
