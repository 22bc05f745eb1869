type Listener = (...values: never[]) => void;

interface ProcessEvents {
  listeners(event: string): readonly Listener[];
  removeListener(event: string, listener: Listener): unknown;
}

const events = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs `task` and takes away what it added to the listeners of the process: the loader of the wasm binary turns every
 * unhandled error of a Node program into a dump of its own source. Does nothing in browsers.
 */
export async function withoutProcessListeners<T>(task: () => Promise<T>): Promise<T> {
  const { process } = globalThis as unknown as { readonly process?: Partial<ProcessEvents> };
  if (process?.listeners === undefined || process.removeListener === undefined) return task();
  const surrounding = process as ProcessEvents;
  const before = events.map((event) => new Set(surrounding.listeners(event)));
  try {
    return await task();
  } finally {
    for (const [index, event] of events.entries()) {
      for (const listener of surrounding.listeners(event)) {
        if (!before[index]?.has(listener)) surrounding.removeListener(event, listener);
      }
    }
  }
}
