import { ModelwrightError } from '@modelwright/core';

/** The part of Node's answer that tells when the connection went away. */
interface Outgoing {
  readonly writableFinished: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** How long a request is worth working on: until its client goes away or the server stops. */
export interface RequestLifetime {
  /** Made when it is first asked for: most requests are answered before anybody has to watch. */
  readonly signal: AbortSignal;
  readonly release: () => void;
}

/** Follows the client's connection and the server. */
export function requestSignal(
  request: Pick<Request, 'signal'>,
  bindings: unknown,
  stopped: AbortSignal,
): RequestLifetime {
  const lifetime = new Lifetime();
  const forget = whenStopped(stopped, () => lifetime.end('the server stops'));
  const outgoing = outgoingOf(bindings);
  if (outgoing === undefined) {
    request.signal.addEventListener('abort', () => lifetime.end('the client went away'));
    lifetime.release = forget;
    return lifetime;
  }
  // Node's own event costs nothing; the signal of a request would make the adapter build the whole request. It also outlasts the handler
  // where an answer is a stream.
  outgoing.once('close', () => {
    forget();
    if (!outgoing.writableFinished) lifetime.end('the client went away');
  });
  return lifetime;
}

class Lifetime implements RequestLifetime {
  release: () => void = () => {};
  #controller: AbortController | undefined;
  #reason: ModelwrightError | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  end(why: string): void {
    this.#reason ??= new ModelwrightError('aborted', why);
    this.#controller?.abort(this.#reason);
  }
}

/** Whom to tell when a server stops: its signal has one listener, however many requests there are. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** @returns what takes `stop` off the list. */
function whenStopped(stopped: AbortSignal, stop: () => void): () => void {
  if (stopped.aborted) stop();
  let all = waiting.get(stopped);
  if (all === undefined) {
    const listeners = new Set<() => void>();
    stopped.addEventListener('abort', () => {
      for (const each of listeners) each();
    });
    waiting.set(stopped, listeners);
    all = listeners;
  }
  all.add(stop);
  const own = all;
  return () => own.delete(stop);
}

function outgoingOf(bindings: unknown): Outgoing | undefined {
  const outgoing = (bindings as { readonly outgoing?: Partial<Outgoing> } | undefined)?.outgoing;
  return typeof outgoing?.once === 'function' ? (outgoing as Outgoing) : undefined;
}
