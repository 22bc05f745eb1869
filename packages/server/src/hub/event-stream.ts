import type { EventStream, ServerEvent } from '../contract/events.js';

/**
 * Delivers events to every listener at once, in the order of subscription.
 *
 * @param onListenerError - Told when a listener throws; the others and the caller do not notice.
 * @example
 * const events = createEventStream();
 * events.subscribe((event) => console.log(event.kind));
 */
export function createEventStream(onListenerError: (error: unknown) => void = () => {}): EventStream {
  const listeners = new Set<(event: ServerEvent) => void>();
  return {
    emit(event) {
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    subscribe(listener) {
      // A wrapper, so that one function subscribed twice is two subscriptions.
      const own = (event: ServerEvent): void => listener(event);
      listeners.add(own);
      return () => {
        listeners.delete(own);
      };
    },
  };
}
