import { Agent, request as httpRequest } from 'node:http';
import type { HttpRequest } from './http-requests.js';

/** What came back. */
export interface Outcome {
  /** `200`, `grpc 3`, or what broke the connection. */
  readonly status: string;
  /** Why it is not what a server may answer. */
  readonly wrong?: string;
}

/** Statuses that the OpenAPI document names, and `200`; 500 only where a model failed on its inputs. */
const documented = new Set([200, 400, 401, 403, 404, 405, 413, 422, 429, 499, 503, 504]);
const longestMilliseconds = 20_000;

/** Sends requests over connections that stay open. */
export class HttpSender {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  readonly #url: URL;

  constructor(url: URL) {
    this.#url = url;
  }

  async send(request: HttpRequest): Promise<Outcome> {
    try {
      const { status, code, body, type } = await this.exchange(request);
      const wrong = judge(request, status, { code, body, type });
      return {
        status: String(status),
        ...(wrong === undefined ? {} : { wrong: `${wrong}: ${body.toString().slice(0, 200)}` }),
      };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // What Node's client itself will not put on the wire.
      if (message.includes('unescaped characters') || message.includes('Invalid character'))
        return { status: 'not sent' };
      return { status: 'broken', wrong: message };
    }
  }

  /** The plain exchange. */
  exchange({ method, path, headers, body }: HttpRequest): Promise<{
    readonly status: number;
    readonly code: string;
    readonly type: string;
    readonly body: Buffer;
  }> {
    return new Promise((resolve, reject) => {
      const { hostname: host, port } = this.#url;
      const length = { 'content-length': String(body.length) };
      const sent = httpRequest({ agent: this.#agent, host, port, method, path, headers: { ...headers, ...length } });
      sent.setTimeout(longestMilliseconds, () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            code: String(response.headers['x-error-code'] ?? ''),
            type: String(response.headers['content-type'] ?? ''),
            body: Buffer.concat(chunks),
          });
        });
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function judge(
  { method }: HttpRequest,
  status: number,
  { code, body, type }: { readonly code: string; readonly body: Buffer; readonly type: string },
): string | undefined {
  const isModelFailure = status === 500 && code === 'backend-failure';
  if (!documented.has(status) && !isModelFailure) return `status ${status}`;
  if (status === 200 || method === 'HEAD' || body.length === 0) return undefined;
  if (!type.startsWith('application/json')) return status === 503 ? undefined : `an error as '${type}'`;
  const { error } = JSON.parse(body.toString()) as { readonly error?: unknown };
  const isTold = typeof error === 'string' || typeof (error as { message?: unknown } | undefined)?.message === 'string';
  return isTold || status === 503 ? undefined : 'an error without a text';
}
