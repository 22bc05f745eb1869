import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Sample } from '../../leaks/verdict.js';

/** What the serving process tells. */
export type SubjectMessage =
  | { readonly kind: 'ready'; readonly url: string; readonly grpcAddress: string }
  | ({ readonly kind: 'memory' } & Sample)
  | { readonly kind: 'broken'; readonly what: string };

/** A server in a process of its own. */
export interface Subject {
  readonly url: URL;
  readonly grpcAddress: string;
  /** What it holds, everything unreachable collected. */
  memory(): Promise<Sample>;
  /** Whatever went wrong in it outside of a request; empty is well. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/** Starts the server. */
export async function serveSubject(): Promise<Subject> {
  const path = fileURLToPath(new URL('./subject.js', import.meta.url));
  const child = fork(path, { execArgv: ['--expose-gc', '--max-old-space-size=1024'] });
  const problems: string[] = [];
  let isClosing = false;
  child.on('message', (message: SubjectMessage) => message.kind === 'broken' && problems.push(message.what));
  child.on('exit', (code, signal) => {
    if (!isClosing) problems.push(`the process ended with ${code ?? signal}`);
  });
  const { url, grpcAddress } = await next(child, 'ready');
  return {
    url: new URL(url),
    grpcAddress,
    problems,
    async memory() {
      child.send('memory');
      return next(child, 'memory');
    },
    async close() {
      isClosing = true;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await ended;
    },
  };
}

function next<K extends SubjectMessage['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<SubjectMessage, { readonly kind: K }>> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new TypeError('the server is gone'));
    const listen = (message: SubjectMessage): void => {
      if (message.kind !== kind) return;
      child.off('message', listen);
      child.off('exit', ended);
      resolve(message as Extract<SubjectMessage, { readonly kind: K }>);
    };
    child.on('message', listen);
    child.once('exit', ended);
  });
}
