import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import type { ChainEnd } from './audit-line.js';
import type { ChainSignature } from './audit-signature.js';

/** How far the log goes, in a file of its own: what shows that lines are missing at the end. */
export interface AuditHead extends ChainEnd, Partial<ChainSignature> {
  readonly time: string;
}

/** The name of that file. */
export const headFile = 'head.json';

/** `audit-000000000001.jsonl`: a file is named by its first line's sequence. */
export function segmentName(firstSequence: number): string {
  return `audit-${String(firstSequence).padStart(12, '0')}.jsonl`;
}

/** The first sequence that a file's name states. */
export function firstSequenceOf(segment: string): number {
  return Number.parseInt(segment.slice('audit-'.length), 10);
}

/** Files of a log, oldest first. */
export async function listSegments(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((cause) => {
    throw new ModelwrightError('file-unreadable', `'${folder}' cannot be read.`, { file: folder, cause });
  });
  return names
    .filter((name) => /^audit-\d{12,}\.jsonl$/.test(name))
    .sort((a, b) => firstSequenceOf(a) - firstSequenceOf(b));
}

/** The head, if the file is there and is one. */
export async function readHead(folder: string): Promise<AuditHead | undefined> {
  try {
    const head: AuditHead = JSON.parse(await readFile(join(folder, headFile), 'utf8'));
    return Number.isSafeInteger(head?.sequence) && typeof head.hash === 'string' ? head : undefined;
  } catch {
    return undefined;
  }
}

/** Where a file's complete lines end, the last of them, and what was being written when its writer ended. */
export async function readTail(
  file: string,
): Promise<{ readonly completeBytes: number; readonly lastLine: string | undefined; readonly rest: Buffer }> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    let tail = Buffer.alloc(0);
    for (let from = size; ; ) {
      const start = Math.max(0, from - 65_536);
      const piece = Buffer.alloc(from - start);
      await handle.read(piece, 0, piece.length, start);
      tail = Buffer.concat([piece, tail]);
      from = start;
      const end = tail.lastIndexOf(10);
      const before = end < 1 ? -1 : tail.lastIndexOf(10, end - 1);
      if (from > 0 && (end < 0 || before < 0)) continue;
      const lastLine = end < 0 ? undefined : tail.subarray(before + 1, end).toString();
      return { completeBytes: from + end + 1, lastLine, rest: tail.subarray(end + 1) };
    }
  } finally {
    await handle.close();
  }
}
