import { createHash } from 'node:crypto';
import { type CanonicalField, canonicalFields, fromFields } from './canonical-json.js';

/** A line of the log: what happened, and its place in the chain. */
export interface AuditLine {
  /** From 1, without gaps, over all files of a log. */
  readonly sequence: number;
  /** ISO 8601, milliseconds, UTC. */
  readonly time: string;
  readonly kind: string;
  /** `hash` of the line before; zeros before the first. */
  readonly previous: string;
  /** SHA-256 of this line's canonical JSON without `hash`: `jq -cS 'del(.hash)' | head -c -1 | sha256sum`. */
  readonly hash: string;
  readonly [field: string]: unknown;
}

/** The place after which the next line comes. */
export interface ChainEnd {
  readonly sequence: number;
  readonly hash: string;
}

/** Before the first line. */
export const chainStart: ChainEnd = { sequence: 0, hash: '0'.repeat(64) };

/** Makes the line that follows `end`. */
export function nextLine(
  end: ChainEnd,
  time: Date,
  content: { readonly kind: string; readonly [field: string]: unknown },
): { readonly text: string; readonly end: ChainEnd } {
  const sequence = end.sequence + 1;
  const fields = canonicalFields({
    ...content,
    hash: undefined,
    sequence,
    time: time.toISOString(),
    previous: end.hash,
  });
  const hash = hashOf(fields);
  const place = fields.findIndex(([key]) => key > 'hash');
  return { text: fromFields(fields.toSpliced(place, 0, ['hash', `"hash":"${hash}"`])), end: { sequence, hash } };
}

/** The line that `text` is, if it is one: canonical, complete, and of the hash that it states. */
export function readLine(text: string): { readonly line: AuditLine } | { readonly problem: string } {
  let line: AuditLine;
  try {
    line = JSON.parse(text);
  } catch {
    return { problem: 'is not JSON' };
  }
  const isComplete =
    typeof line === 'object' &&
    Number.isSafeInteger(line?.sequence) &&
    [line.time, line.kind, line.previous, line.hash].every((held) => typeof held === 'string');
  if (!isComplete) return { problem: 'is not a line of an audit log' };
  const fields = canonicalFields(line);
  if (fromFields(fields) !== text) return { problem: 'was changed: it is not in canonical form' };
  if (hashOf(fields.filter(([key]) => key !== 'hash')) !== line.hash)
    return { problem: 'was changed: it does not have the hash that it states' };
  return { line };
}

function hashOf(fields: readonly CanonicalField[]): string {
  return createHash('sha256').update(fromFields(fields)).digest('hex');
}
