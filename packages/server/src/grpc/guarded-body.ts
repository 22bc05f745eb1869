import type { DescMessage } from '@bufbuild/protobuf';
import { ModelwrightError } from '@modelwright/core';
import { checkMessage } from './check-message.js';

/** Bounds on what calls may hold of memory. */
export interface GrpcLimits {
  /** Of one message. Default 64 MiB. */
  readonly maxMessageBytes: number;
  /** Of all messages that are in the house. Default 512 MiB. */
  readonly maxMessageBytesInAll: number;
}

/** The bounds where none are given. */
export const defaultGrpcLimits: GrpcLimits = { maxMessageBytes: 2 ** 26, maxMessageBytesInAll: 2 ** 29 };

/** Counts the bytes that messages hold, of all calls together. */
export class MessageBudget {
  readonly limits: GrpcLimits;
  #used = 0;

  constructor(limits: GrpcLimits) {
    this.limits = limits;
  }

  /** What one call holds. */
  open(): MessageAccount {
    let held = 0;
    return {
      take: (lengthBytes) => {
        if (this.#used + lengthBytes > this.limits.maxMessageBytesInAll) {
          const message = 'the server is busy with other large requests';
          throw new ModelwrightError('queue-full', message, { retryAfterSeconds: 1 });
        }
        this.#used += lengthBytes;
        held += lengthBytes;
      },
      release: () => {
        this.#used -= held;
        held = 0;
      },
    };
  }
}

/** The bytes that one call holds. */
export interface MessageAccount {
  /** @throws {@link ModelwrightError} `queue-full` where all calls together hold too much. */
  take(lengthBytes: number): void;
  /** Gives all of them back. */
  release(): void;
}

/** How a body is guarded. */
export interface BodyGuard {
  /** Of its messages. */
  readonly schema: DescMessage;
  readonly maxMessageBytes: number;
  readonly account: MessageAccount;
}

const headerBytes = 5;
const compressedFlag = 1;

/**
 * Lets a call's messages through one by one, each whole: its length is looked at before it is waited for, its encoding before it is
 * decoded. Compressed ones are none of its business, since the decoder refuses them.
 *
 * @throws {@link ModelwrightError} `limit-exceeded`, `queue-full`, `invalid-argument`.
 */
export async function* guardedBody(body: AsyncIterable<Uint8Array>, guard: BodyGuard): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let available = 0;
  let wanted = headerBytes;
  for await (const chunk of body) {
    guard.account.take(chunk.byteLength);
    parts.push(chunk);
    available += chunk.byteLength;
    while (available >= wanted) {
      const bytes = joined(parts, available);
      if (wanted === headerBytes) wanted += messageLength(bytes, guard);
      parts = [bytes];
      if (available < wanted) break;
      const envelope = bytes.subarray(0, wanted);
      if (((envelope[0] as number) & compressedFlag) === 0) checkMessage(guard.schema, envelope.subarray(headerBytes));
      yield envelope;
      parts = [bytes.subarray(wanted)];
      available -= wanted;
      wanted = headerBytes;
    }
  }
  // A message that broke off: the decoder says so.
  if (available > 0) yield joined(parts, available);
}

function messageLength(header: Uint8Array, { maxMessageBytes }: BodyGuard): number {
  const length = new DataView(header.buffer, header.byteOffset).getUint32(1);
  if (length <= maxMessageBytes) return length;
  const message = `a message may have ${maxMessageBytes} bytes`;
  throw new ModelwrightError('limit-exceeded', message, { given: length, allowed: maxMessageBytes });
}

function joined(parts: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(lengthBytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
