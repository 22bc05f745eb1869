/** What happens to each item of a stream. */
export interface PipelineStages<Item, Result> {
  /** Starts the work on an item; resolves as soon as it is under way. */
  begin(item: Item): Promise<{ readonly done: Promise<Result> }>;
  /** Takes a result; `false` ends the stream. */
  end(result: Result): Promise<boolean> | boolean;
  /** Whether to wait for the result of the item just begun before the next one. Default: one may be begun ahead. */
  isExclusive?(): boolean;
}

/** How many further items are read at most while the work on one still reads its memory. */
export const longestInUse = 3;

/**
 * Works through a stream so that the device never waits for the host: while one item is being worked on, the next one is
 * already queued, the one after it is being read, and the results of the last one are taken.
 */
export async function runPipeline<Item, Result>(
  items: AsyncIterable<Item>,
  stages: PipelineStages<Item, Result>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let underWay: Promise<Result> | undefined;
  let next = handled(iterator.next());
  try {
    for (let item = await next; !item.done; item = await next) {
      const { done } = await stages.begin(item.value);
      handled(done);
      next = handled(soon().then(() => iterator.next()));
      const previous = underWay;
      underWay = done;
      if (previous !== undefined && !(await stages.end(await previous))) return;
      if (!stages.isExclusive?.()) continue;
      underWay = undefined;
      if (!(await stages.end(await done))) return;
    }
    const last = underWay;
    underWay = undefined;
    if (last !== undefined) await stages.end(await last);
  } finally {
    await underWay?.catch(() => undefined);
    await iterator.return?.();
  }
}

// A failure is reported when its turn comes; until then it must not count as unhandled.
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Resolves in the next turn of the event loop: by then what was queued has started. */
function soon(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
