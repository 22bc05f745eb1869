import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import { syncFolder, writeFileAtomically } from '../files/atomic-file.js';
import { type AuditHead, headFile, segmentName } from './audit-files.js';
import type { ChainEnd } from './audit-line.js';
import type { AuditLogOptions } from './audit-log.js';
import type { ChainSigner } from './audit-signature.js';

export interface AuditWriterParts {
  readonly folder: string;
  /** The file to go on with, if there is one. */
  readonly segment: string | undefined;
  readonly end: ChainEnd;
  readonly segmentBytes: number;
  readonly sync: AuditLogOptions['sync'];
  readonly signer: ChainSigner | undefined;
  readonly onProblem: ((error: unknown) => void) | undefined;
  readonly now: () => Date;
}

interface Pending {
  readonly text: string;
  readonly end: ChainEnd;
}

const retryMilliseconds = 1000;

/** Writes lines in their order: those that come while others are written go together. */
export class AuditWriter {
  readonly #parts: AuditWriterParts;
  readonly #syncMilliseconds: number;
  #queue: Pending[] = [];
  #pendingBytes = 0;
  #file: { readonly handle: FileHandle; size: number } | undefined;
  #written: ChainEnd;
  #synced: ChainEnd;
  #segment: string | undefined;
  #work: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem: unknown;

  constructor(parts: AuditWriterParts) {
    this.#parts = parts;
    this.#segment = parts.segment;
    this.#written = parts.end;
    this.#synced = parts.end;
    const { sync = { everyMilliseconds: 1000 } } = parts;
    this.#syncMilliseconds =
      sync === 'always' ? 0 : sync === 'never' ? Number.POSITIVE_INFINITY : sync.everyMilliseconds;
  }

  /** Why lines cannot be written at present. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Of lines that are not written yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  push(text: string, end: ChainEnd): void {
    this.#queue.push({ text, end });
    this.#pendingBytes += text.length;
    if (this.#problem === undefined) this.#begin();
  }

  /** @throws what hinders. */
  async flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#work !== undefined) {
      this.#begin();
      await this.#work;
      if (this.#problem !== undefined) throw this.#problem;
    }
    await this.#sync();
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      clearTimeout(this.#timer);
      await this.#file?.handle.close();
      this.#file = undefined;
    }
  }

  #begin(): void {
    this.#work ??= this.#drain().finally(() => {
      this.#work = undefined;
    });
  }

  async #drain(): Promise<void> {
    try {
      // One turn of the loop: what else happens in it goes along.
      await new Promise(setImmediate);
      while (this.#queue.length > 0) await this.#writeBatch();
      this.#problem = undefined;
      if (this.#syncMilliseconds === 0) await this.#sync();
      else this.#later(this.#syncMilliseconds);
    } catch (cause) {
      const file = this.#parts.folder;
      this.#problem = new ModelwrightError('file-unwritable', `The audit log in '${file}' cannot be written.`, {
        file,
        cause,
      });
      this.#parts.onProblem?.(this.#problem);
      this.#later(retryMilliseconds);
    }
  }

  /** Whatever of a batch came to the disk before a failure is taken away again: no line stands there twice or in part. */
  async #writeBatch(): Promise<void> {
    const file = await this.#current();
    const batch = this.#nextBatch(this.#parts.segmentBytes - file.size);
    const bytes = Buffer.from(batch.map(({ text }) => text).join(''));
    try {
      await file.handle.appendFile(bytes);
    } catch (error) {
      await file.handle.truncate(file.size).catch(() => {});
      throw error;
    }
    file.size += bytes.length;
    this.#written = batch.at(-1)!.end;
    this.#queue = this.#queue.slice(batch.length);
    for (const { text } of batch) this.#pendingBytes -= text.length;
  }

  /** At least one line, and as many as `roomBytes` hold; the one that goes beyond is the last of its file. */
  #nextBatch(roomBytes: number): readonly Pending[] {
    let [taken, sizeBytes] = [0, 0];
    while (taken < this.#queue.length && (taken === 0 || sizeBytes < roomBytes))
      sizeBytes += Buffer.byteLength(this.#queue[taken++]!.text);
    return this.#queue.slice(0, taken);
  }

  async #current(): Promise<{ readonly handle: FileHandle; size: number }> {
    if (this.#file !== undefined && this.#file.size >= this.#parts.segmentBytes) {
      await this.#sync();
      await this.#file.handle.close();
      this.#file = undefined;
      this.#segment = undefined;
    }
    if (this.#file === undefined) {
      const { folder } = this.#parts;
      this.#segment ??= segmentName(this.#written.sequence + 1);
      const handle = await open(join(folder, this.#segment), 'a', 0o600);
      this.#file = { handle, size: (await handle.stat()).size };
      await syncFolder(folder);
    }
    return this.#file;
  }

  #later(milliseconds: number): void {
    if (this.#timer !== undefined || !Number.isFinite(milliseconds)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#queue.length > 0) this.#begin();
      else this.#sync().catch((error) => this.#parts.onProblem?.(error));
    }, milliseconds);
    this.#timer.unref();
  }

  /** Lines first, then the head: a head that says more than there are lines means that lines were taken away. */
  async #sync(): Promise<void> {
    const end = this.#written;
    if (end.sequence === this.#synced.sequence || this.#file === undefined) return;
    await this.#file.handle.datasync();
    const head: AuditHead = { ...end, time: this.#parts.now().toISOString(), ...this.#parts.signer?.(end) };
    await writeFileAtomically(join(this.#parts.folder, headFile), `${JSON.stringify(head)}\n`);
    this.#synced = end;
  }
}
