import { ModelwrightError } from '@modelwright/core';

/** Bounds on what bodies of requests may hold of memory. */
export interface BodyLimits {
  /** Of one request. */
  readonly maxBodyBytes: number;
  /** Of all requests that are in the house. */
  readonly maxBodyBytesInAll: number;
}

/** Keeps count of the bytes that bodies hold. */
export class BodyBudget {
  readonly #limits: BodyLimits;
  #used = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /**
   * Lets a request's body in before a byte of it is kept.
   *
   * @returns the request to read from (another one where the length is not known beforehand, which ends in an error when it gets too
   *   long), and what gives the bytes back.
   * @throws {@link ModelwrightError} `limit-exceeded` for a body that is too long, `queue-full` where others hold too much.
   */
  admit(
    request: Request,
    contentLength: string | undefined,
  ): { readonly request: Request; readonly release: () => void } {
    if (contentLength === undefined) return this.#admitStream(request);
    const lengthBytes = Number(contentLength);
    if (!/^\d{1,15}$/.test(contentLength))
      throw new ModelwrightError('invalid-argument', 'the header content-length is no number');
    return { request, release: this.#take(lengthBytes) };
  }

  #admitStream(request: Request): { readonly request: Request; readonly release: () => void } {
    const { body } = request;
    if (body === null) return { request, release: () => {} };
    const releases: (() => void)[] = [];
    let lengthBytes = 0;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        lengthBytes += chunk.byteLength;
        if (lengthBytes > this.#limits.maxBodyBytes) throw tooLong(this.#limits.maxBodyBytes);
        releases.push(this.#take(chunk.byteLength));
        controller.enqueue(chunk);
      },
    });
    // Made anew from its parts: adapters hand over objects that only look like requests.
    const { url, method, headers } = request;
    const parts = { method, headers, body: body.pipeThrough(counted), duplex: 'half' };
    const limited = new Request(url, parts as RequestInit);
    const release = (): void => {
      for (const each of releases.splice(0)) each();
    };
    return { request: limited, release };
  }

  #take(lengthBytes: number): () => void {
    const { maxBodyBytes, maxBodyBytesInAll } = this.#limits;
    if (lengthBytes > maxBodyBytes) throw tooLong(maxBodyBytes);
    if (this.#used + lengthBytes > maxBodyBytesInAll) {
      throw new ModelwrightError('queue-full', 'the server is busy with other large requests', {
        retryAfterSeconds: 1,
      });
    }
    this.#used += lengthBytes;
    let isTaken = true;
    return () => {
      if (isTaken) this.#used -= lengthBytes;
      isTaken = false;
    };
  }
}

function tooLong(allowed: number): ModelwrightError {
  return new ModelwrightError('limit-exceeded', `the body of a request may have ${allowed} bytes`, { allowed });
}
