import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import type { LoadRequest } from './request.js';

/** How much load, for how long. */
export interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
  /** Requests in all; whichever comes first of both ends the test. */
  readonly requests?: number;
  /** Requests a second, whether or not answers come; default as fast as answers come. */
  readonly rate?: number;
  readonly timeoutMilliseconds: number;
}

/** What came of it. */
export interface LoadResult {
  readonly seconds: number;
  /** Milliseconds of each request that was answered well, in no order. With a rate they count from when it was due. */
  readonly latencies: Float64Array;
  /** Answers by status: `200`, `503`, … */
  readonly statuses: ReadonlyMap<number, number>;
  /** Requests without an answer by the reason: `ECONNRESET`, `timeout`, … */
  readonly failures: ReadonlyMap<string, number>;
}

/** Sends a request again and again over connections that stay open. */
export async function putLoad(request: LoadRequest, options: LoadOptions): Promise<LoadResult> {
  const test = new LoadTest(request, options);
  return test.run();
}

class LoadTest {
  readonly #request: LoadRequest;
  readonly #options: LoadOptions;
  readonly #agent: PlainAgent | SecureAgent;
  readonly #latencies: number[] = [];
  readonly #statuses = new Map<number, number>();
  readonly #failures = new Map<string, number>();
  #sent = 0;

  constructor(request: LoadRequest, options: LoadOptions) {
    this.#request = request;
    this.#options = options;
    const settings = { keepAlive: true, maxSockets: options.connections, scheduling: 'fifo' } as const;
    this.#agent = request.url.protocol === 'https:' ? new SecureAgent(settings) : new PlainAgent(settings);
  }

  async run(): Promise<LoadResult> {
    const start = performance.now();
    await Promise.all(Array.from({ length: this.#options.connections }, () => this.#keepAsking(start)));
    this.#agent.destroy();
    return {
      seconds: (performance.now() - start) / 1000,
      latencies: Float64Array.from(this.#latencies),
      statuses: this.#statuses,
      failures: this.#failures,
    };
  }

  async #keepAsking(start: number): Promise<void> {
    const { seconds, requests = Number.POSITIVE_INFINITY, rate } = this.#options;
    const end = start + seconds * 1000;
    while (this.#sent < requests) {
      const dueAt = rate === undefined ? performance.now() : start + (this.#sent * 1000) / rate;
      if (dueAt >= end) return;
      this.#sent += 1;
      const rest = dueAt - performance.now();
      if (rest > 0) await new Promise<void>((resolve) => setTimeout(resolve, rest));
      await this.#ask(dueAt);
    }
  }

  async #ask(dueAt: number): Promise<void> {
    try {
      const status = await this.#send();
      count(this.#statuses, status);
      if (status === 200) this.#latencies.push(performance.now() - dueAt);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      count(this.#failures, isModelwrightError(error) ? message : (code ?? message));
    }
  }

  #send(): Promise<number> {
    const { url, headers, body } = this.#request;
    const begin = url.protocol === 'https:' ? secureRequest : plainRequest;
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = begin(url, { method: 'POST', headers, agent: this.#agent }, (answer) =>
        readAll(answer, resolve, reject),
      );
      sent.setTimeout(this.#options.timeoutMilliseconds, () =>
        sent.destroy(new ModelwrightError('deadline-exceeded', 'timeout')),
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function readAll(answer: IncomingMessage, resolve: (status: number) => void, reject: (error: Error) => void): void {
  answer.on('error', reject);
  answer.on('end', () => resolve(answer.statusCode ?? 0));
  answer.resume();
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
