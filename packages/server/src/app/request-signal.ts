import { ModelwrightError } from '@modelwright/core';

/** The part of Node's answer that tells when the connection went away. */
interface Outgoing {
  readonly writableFinished: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** A signal that ends with the client's connection, or when the server stops. */
export function requestSignal(
  request: Pick<Request, 'signal'>,
  bindings: unknown,
  stopped: AbortSignal,
): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort(aborted('the server stops'));
  const leave = (): void => controller.abort(aborted('the client went away'));
  const forget = whenStopped(stopped, stop);
  const outgoing = outgoingOf(bindings);
  if (outgoing === undefined) {
    request.signal.addEventListener('abort', leave);
    return { signal: controller.signal, release: forget };
  }
  // Node's own event costs nothing; the signal of a request would make the adapter build the whole request. It also outlasts the handler
  // where an answer is a stream.
  outgoing.once('close', () => {
    forget();
    if (!outgoing.writableFinished) leave();
  });
  return { signal: controller.signal, release: () => {} };
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

function aborted(message: string): ModelwrightError {
  return new ModelwrightError('aborted', message);
}
