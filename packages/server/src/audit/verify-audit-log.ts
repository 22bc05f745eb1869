import { join } from 'node:path';
import { type AuditHead, firstSequenceOf, headFile, listSegments, readHead } from './audit-files.js';
import { type AuditLine, type ChainEnd, chainStart, readLine } from './audit-line.js';
import { type ChainSignature, chainVerifier } from './audit-signature.js';
import { readLines } from './read-lines.js';

/** Something that is not as it was written. */
export interface AuditProblem {
  readonly file: string;
  /** In the file, from 1. */
  readonly line?: number;
  readonly what: string;
}

/** What a log turned out to be. */
export interface AuditReport {
  readonly isIntact: boolean;
  readonly lineCount: number;
  readonly fileCount: number;
  readonly firstTime?: string;
  readonly lastTime?: string;
  /** The last line; noted elsewhere, it can be given as `expectedHead` later. */
  readonly head: ChainEnd;
  /** Up to which line a signature vouches; only with public keys. */
  readonly signedThrough?: number;
  /** At most 100. */
  readonly problems: readonly AuditProblem[];
}

/**
 * Reads a whole log and finds lines that were changed, removed, put in or reordered, files that are away, and an end that was cut off.
 *
 * @param options.publicKeys - PEM; checkpoints and head must be signed by one of them. Without, a log that somebody wrote anew from some
 * line on, head included, cannot be told from the true one, but by `expectedHead`.
 * @param options.expectedHead - A line that somebody noted elsewhere: it must be there with that hash.
 * @throws {@link ModelwrightError} `file-unreadable` if the folder or a file cannot be read.
 */
export async function verifyAuditLog(
  folder: string,
  options: { readonly publicKeys?: readonly string[]; readonly expectedHead?: ChainEnd } = {},
): Promise<AuditReport> {
  const head = await readHead(folder);
  const check = new AuditCheck(options, head);
  const segments = await listSegments(folder);
  for (const segment of segments) {
    check.beginFile(segment);
    for await (const { text, isFinished } of readLines(join(folder, segment))) check.addLine(text, isFinished);
  }
  return check.finish(segments.length);
}

class AuditCheck {
  readonly #problems: AuditProblem[] = [];
  readonly #head: AuditHead | undefined;
  readonly #awaited: Map<number, string>;
  readonly #verify: ReturnType<typeof chainVerifier> | undefined;
  #end: ChainEnd = chainStart;
  #file = '';
  #line = 0;
  #count = 0;
  #firstTime: string | undefined;
  #lastTime: string | undefined;
  #signedThrough = 0;

  constructor(
    { publicKeys, expectedHead }: { readonly publicKeys?: readonly string[]; readonly expectedHead?: ChainEnd },
    head: AuditHead | undefined,
  ) {
    this.#head = head;
    this.#verify = publicKeys === undefined ? undefined : chainVerifier(publicKeys);
    this.#awaited = new Map(
      [head, expectedHead].flatMap((each) => (each === undefined ? [] : [[each.sequence, each.hash]])),
    );
    if (head !== undefined && expectedHead?.sequence === head.sequence && expectedHead.hash !== head.hash)
      this.#report('is not the expected one', headFile);
  }

  beginFile(segment: string): void {
    this.#file = segment;
    this.#line = 0;
    const first = firstSequenceOf(segment);
    if (first !== this.#end.sequence + 1)
      this.#report(`begins with line ${first}, the file before ends with ${this.#end.sequence}`, segment);
  }

  addLine(text: string, isFinished: boolean): void {
    this.#line++;
    if (!isFinished) {
      // The writer is at it, or ended while it was: no head ever counts such a line.
      if (this.#end.sequence < (this.#head?.sequence ?? 0)) this.#report('is not finished');
      return;
    }
    this.#count++;
    const read = readLine(text);
    if ('problem' in read) {
      this.#report(read.problem);
      // The lines after are still judged: by what this one claims to be.
      this.#end = claimed(text) ?? { sequence: this.#end.sequence + 1, hash: '' };
      return;
    }
    this.#place(read.line);
  }

  finish(fileCount: number): AuditReport {
    this.#finishHead();
    return {
      isIntact: this.#problems.length === 0,
      lineCount: this.#count,
      fileCount,
      ...(this.#firstTime === undefined ? {} : { firstTime: this.#firstTime }),
      ...(this.#lastTime === undefined ? {} : { lastTime: this.#lastTime }),
      head: this.#end,
      ...(this.#verify === undefined ? {} : { signedThrough: this.#signedThrough }),
      problems: this.#problems.slice(0, 100),
    };
  }

  #place(line: AuditLine): void {
    const { sequence, hash, previous, time } = line;
    const expected = this.#end.sequence + 1;
    if (sequence > expected) this.#report(`is number ${sequence}: ${missing(expected, sequence - 1)} before it`);
    else if (sequence < expected) this.#report(`is number ${sequence}: it stands after ${this.#end.sequence}`);
    else if (previous !== this.#end.hash) this.#report('does not continue the line before it');
    if (line.kind === 'checkpoint') this.#judgeCheckpoint(line);
    const awaited = this.#awaited.get(sequence);
    if (awaited !== undefined && awaited !== hash) this.#report(`is not the line ${sequence} that was noted`);
    this.#awaited.delete(sequence);
    this.#end = { sequence, hash };
    this.#firstTime ??= time;
    this.#lastTime = time;
  }

  #judgeCheckpoint({ sequence, previous, ...line }: AuditLine): void {
    const end = { sequence: sequence - 1, hash: previous };
    if (this.#verify === undefined) return;
    if (this.#verify(end, line as Partial<ChainSignature>))
      this.#signedThrough = Math.max(this.#signedThrough, end.sequence);
    else this.#report('has no valid signature');
  }

  #finishHead(): void {
    const head = this.#head;
    for (const sequence of this.#awaited.keys())
      this.#report(`Line ${sequence} was there and is missing; the log ends with line ${this.#end.sequence}`, headFile);
    if (head === undefined) {
      this.#report('is missing or broken: the end of the log may have been cut off', headFile);
    } else if (this.#verify !== undefined) {
      if (this.#verify(head, head)) this.#signedThrough = Math.max(this.#signedThrough, head.sequence);
      else this.#report('has no valid signature', headFile);
    }
  }

  #report(what: string, file?: string): void {
    this.#problems.push(file === undefined ? { file: this.#file, line: this.#line, what } : { file, what });
  }
}

function missing(first: number, last: number): string {
  return first === last ? `${first} is missing` : `${first} to ${last} are missing`;
}

function claimed(text: string): ChainEnd | undefined {
  try {
    const { sequence, hash } = JSON.parse(text);
    return Number.isSafeInteger(sequence) && typeof hash === 'string' ? { sequence, hash } : undefined;
  } catch {
    return undefined;
  }
}
