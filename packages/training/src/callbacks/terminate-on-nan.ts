import type { Callback } from './callback.js';

/** Ends training quietly when the loss is NaN or infinite; without it `fit` throws `not-finite`. */
export function terminateOnNaN(): Callback {
  return {
    name: 'terminateOnNaN',
    onNotFinite(_, run) {
      run.stop();
    },
  };
}
