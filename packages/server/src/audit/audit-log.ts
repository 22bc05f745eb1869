import { createHash } from 'node:crypto';
import { mkdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import type { ServerEvent } from '../contract/events.js';
import { lockFile } from '../files/file-lock.js';
import { listSegments, readHead, readTail } from './audit-files.js';
import { type ChainEnd, chainStart, nextLine, readLine } from './audit-line.js';
import { auditRecordOf, type InputPrivacy } from './audit-record.js';
import { type ChainSigner, chainSigner } from './audit-signature.js';
import { AuditWriter } from './audit-writer.js';
import { RefusalBudget } from './refusal-budget.js';

/** How an audit log is kept. */
export interface AuditLogOptions extends InputPrivacy {
  /**
   * When lines are forced to the disk. `always`: as soon as they are written; default `{ everyMilliseconds: 1000 }`: a failing machine
   * loses the last second, a failing process nothing that was written; `never`: when the system likes.
   */
  readonly sync?: 'always' | 'never' | { readonly everyMilliseconds: number };
  /** A file that is larger is followed by a new one. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** An Ed25519 key in PEM: signs the head, and a checkpoint line at times. Without it, who can write the files can write another log. */
  readonly signingKey?: string;
  /** Lines between two checkpoints. Default 1000. */
  readonly checkpointLines?: number;
  /** Told when lines cannot be written; they are kept (up to 16 MiB, beyond they are counted) and tried again each second. */
  readonly onProblem?: (error: unknown) => void;
  readonly now?: () => Date;
}

/** An append-only log in which each line holds the hash of the one before. */
export interface AuditLog {
  /** Keeps an event; to be subscribed to a server's events. */
  readonly listener: (event: ServerEvent) => void;
  /** Keeps something else: `{ kind: 'key-created', … }`. */
  append(content: { readonly kind: string; readonly [field: string]: unknown }): void;
  /** The last line. */
  readonly head: ChainEnd;
  /** Why lines cannot be written at present. */
  readonly problem: unknown;
  /** Resolves when all lines until now are on the disk. */
  flush(): Promise<void>;
  /** Writes a last line, and lets others open the log. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens an audit log: a folder of `audit-<sequence>.jsonl` files and `head.json`. One process at a time writes it. A line that its writer
 * could not finish is taken away, and the log says so.
 *
 * @throws {@link ModelwrightError} `file-unwritable` if the folder cannot be written or another process writes it;
 * `integrity-violation` if the log is shorter than its head says, or its end was changed: it is not written on.
 * @example
 * const audit = await openAuditLog('audit');
 * hub.events.subscribe(audit.listener);
 */
export async function openAuditLog(folder: string, options: AuditLogOptions = {}): Promise<AuditLog> {
  const { segmentBytes = 64 * 2 ** 20, checkpointLines = 1000, now = () => new Date(), sync, onProblem } = options;
  const signer = options.signingKey === undefined ? undefined : chainSigner(options.signingKey);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause) => {
    throw new ModelwrightError('file-unwritable', `'${folder}' cannot be made.`, { file: folder, cause });
  });
  const unlock = await lockFile(join(folder, 'writer.lock'), 0);
  try {
    const { end, segment, recovered } = await findEnd(folder);
    const writer = new AuditWriter({ folder, segment, end, segmentBytes, sync, signer, onProblem, now });
    const log = new ChainedLog({ writer, end, signer, checkpointLines, privacy: options, now, unlock });
    log.append({ kind: 'start', ...recovered });
    return log;
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** What may wait for a disk that takes nothing. */
const maxPendingBytes = 16 * 2 ** 20;

/** Refusals of those who show no good credential that have a line each. */
const strangersPerSecond = 100;

interface ChainedLogParts {
  readonly writer: AuditWriter;
  readonly end: ChainEnd;
  readonly signer: ChainSigner | undefined;
  readonly checkpointLines: number;
  readonly privacy: InputPrivacy;
  readonly now: () => Date;
  readonly unlock: () => Promise<void>;
}

class ChainedLog implements AuditLog {
  readonly #parts: ChainedLogParts;
  readonly #strangers = new RefusalBudget(strangersPerSecond);
  #end: ChainEnd;
  #unsigned = 0;
  #lost = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: ChainedLogParts) {
    this.#parts = parts;
    this.#end = parts.end;
  }

  get head(): ChainEnd {
    return this.#end;
  }

  get problem(): unknown {
    return this.#parts.writer.problem;
  }

  readonly listener = (event: ServerEvent): void => {
    const isOfStranger = event.kind === 'refused' && event.principal === undefined;
    this.#settleStrangers();
    if (isOfStranger && !this.#strangers.admit(this.#parts.now())) return;
    const record = auditRecordOf(event, this.#parts.privacy);
    if (record !== undefined) this.append(record);
  };

  append(content: { readonly kind: string; readonly [field: string]: unknown }): void {
    if (this.#closing !== undefined) throw new ModelwrightError('resource-disposed', 'The audit log is closed.');
    if (this.#parts.writer.problem !== undefined && this.#parts.writer.pendingBytes > maxPendingBytes) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#write({ kind: 'lost', count: this.#lost });
    this.#lost = 0;
    this.#write(content);
    if (++this.#unsigned >= this.#parts.checkpointLines) this.#checkpoint();
  }

  flush(): Promise<void> {
    return this.#parts.writer.flush();
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    this.#settleStrangers(true);
    this.#write({ kind: 'stop' });
    this.#checkpoint();
    try {
      await this.#parts.writer.close();
    } finally {
      await this.#parts.unlock();
    }
  }

  #settleStrangers(isLast = false): void {
    const count = this.#strangers.settle(this.#parts.now(), isLast);
    if (count > 0) this.#write({ kind: 'refused-more', count });
  }

  #checkpoint(): void {
    this.#unsigned = 0;
    if (this.#parts.signer !== undefined) this.#write({ kind: 'checkpoint', ...this.#parts.signer(this.#end) });
  }

  #write(content: { readonly kind: string; readonly [field: string]: unknown }): void {
    const { text, end } = nextLine(this.#end, this.#parts.now(), content);
    this.#end = end;
    this.#parts.writer.push(`${text}\n`, end);
  }
}

/** Where to go on; takes away an unfinished last line. */
async function findEnd(
  folder: string,
): Promise<{ readonly end: ChainEnd; readonly segment: string | undefined; readonly recovered: object }> {
  const head = await readHead(folder);
  const segments = await listSegments(folder);
  let recovered = {};
  for (const segment of segments.toReversed()) {
    const file = join(folder, segment);
    const { completeBytes, lastLine, rest } = await readTail(file);
    if (rest.length > 0) {
      recovered = { unfinishedBytes: rest.length, unfinishedSha256: createHash('sha256').update(rest).digest('hex') };
      await truncate(file, completeBytes);
    }
    if (lastLine === undefined) {
      await rm(file);
      continue;
    }
    const end = endOf(lastLine, file);
    checkHead(end, head, folder);
    return { end, segment, recovered };
  }
  checkHead(chainStart, head, folder);
  return { end: chainStart, segment: undefined, recovered };
}

function endOf(text: string, file: string): ChainEnd {
  const read = readLine(text);
  if ('line' in read) return { sequence: read.line.sequence, hash: read.line.hash };
  throw violation(`The last line of '${file}' ${read.problem}.`, file);
}

function checkHead(end: ChainEnd, head: ChainEnd | undefined, folder: string): void {
  if (head === undefined || end.sequence > head.sequence) return;
  if (end.sequence === head.sequence && end.hash === head.hash) return;
  throw violation(
    `The audit log in '${folder}' ends at line ${end.sequence}, and was at ${head.sequence} before.`,
    folder,
  );
}

function violation(message: string, file: string): ModelwrightError {
  return new ModelwrightError('integrity-violation', message, {
    file,
    hint: 'modelwright audit verify shows more; move the folder away to begin a new log.',
  });
}
