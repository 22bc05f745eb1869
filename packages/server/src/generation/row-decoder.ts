import type { RowTokens } from '@modelwright/text';
import type { ModelArtifact } from '../contract/served-model.js';

/** How a model is decoded. */
export interface DecodingPlan {
  /** Rows at a time. */
  readonly batch: number;
  /** Tokens a row may hold. */
  readonly maxLength: number;
  /** Which output scores tokens. */
  readonly output: string;
}

/** What is known of a decoder when it is open. */
export interface DecoderFacts {
  /** Buffers of keys and values, and the weights of each program. */
  readonly memoryBytes: number;
  readonly vocabularySize: number;
  /** The most tokens that one call reads of a row. */
  readonly longestChunk: number;
}

/** What decodes rows of tokens: a `RowSession` of this thread, or one of a worker thread or process. Calls must not overlap. */
export interface RowDecoder extends DecoderFacts {
  readonly batch: number;
  readonly maxLength: number;
  heldBy(row: number): number;
  rewind(row: number, length: number): void;
  /**
   * @param options.isWanted - Whether anybody still waits: what hangs when not may be ended.
   * @returns by row, the scores after the last token that was taken.
   * @throws {@link ModelwrightError} `model-unavailable` where what computed was lost: the rows hold nothing then.
   */
  feed(
    given: readonly RowTokens[],
    options?: { readonly isWanted?: () => boolean },
  ): Promise<ReadonlyMap<number, Float32Array>>;
  dispose(): Promise<void>;
}

/** Opens a decoder elsewhere; `undefined` leaves it to the backend of this thread. */
export type OpenDecoder = (artifact: ModelArtifact, plan: DecodingPlan) => Promise<RowDecoder | undefined>;
