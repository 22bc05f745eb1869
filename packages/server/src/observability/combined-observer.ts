import type { RequestObserver } from '../contract/request-observer.js';

/** Several observers as one: the first begins first and ends last. */
export function combinedObserver(observers: readonly RequestObserver[]): RequestObserver {
  return {
    begin(request) {
      const observations = observers.map((observer) => observer.begin(request));
      return {
        run: (handle) => observations.reduceRight((inner, each) => () => each.run(inner), handle)(),
        end(outcome) {
          for (const each of observations.toReversed()) each.end(outcome);
        },
      };
    },
  };
}
