import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DigitServerOptions, DigitServerQuestion } from './digit-server.js';

/** What a server says of itself. */
export interface ServerUsage {
  readonly memory: NodeJS.MemoryUsage;
  readonly cpu: NodeJS.CpuUsage;
}

/** A server in a process of its own. */
export interface DigitServer {
  readonly url: string;
  readonly process: ChildProcess;
  /** Memory after a collection, and processor time so far. */
  usage(): Promise<ServerUsage>;
  /** Median milliseconds of so many runs of the model alone, in the server's process. */
  raw(runs: number): Promise<number>;
  close(): Promise<void>;
}

/** Starts the digit server; resolves when it listens and its models are ready. */
export async function startServer(options: DigitServerOptions, execArgv: readonly string[] = []): Promise<DigitServer> {
  const child = fork(fileURLToPath(new URL('./digit-server.js', import.meta.url)), [JSON.stringify(options)], {
    execArgv: ['--expose-gc', ...execArgv],
  });
  const [{ url }] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new RangeError(`the server ended with ${code}`);
    }),
  ])) as [{ readonly url: string }];
  const ask = async <Answer>(question: DigitServerQuestion): Promise<Answer> => {
    const answer = once(child, 'message');
    child.send(question);
    const [content] = (await answer) as [Answer];
    return content;
  };
  return {
    url,
    process: child,
    usage: () => ask<ServerUsage>({ kind: 'usage' }),
    raw: (runs) => ask<number>({ kind: 'raw', runs }),
    async close() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
