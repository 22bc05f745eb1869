import { expect, test } from 'vitest';
import { runPipeline } from './pipeline.js';

async function* numbers(count: number, events: string[]): AsyncGenerator<number> {
  try {
    for (let item = 0; item < count; item++) {
      events.push(`read ${item}`);
      yield item;
    }
  } finally {
    events.push('closed');
  }
}

/** Work that takes a few turns of the event loop, one item after the other as a device does it. */
function device(events: string[]): (item: number) => Promise<number> {
  let last: Promise<unknown> = Promise.resolve();
  return (item) => {
    events.push(`begin ${item}`);
    const done = last.then(async () => {
      events.push(`start ${item}`);
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      events.push(`done ${item}`);
      return item;
    });
    last = done.catch(() => undefined);
    return done;
  };
}

test('the next item is queued while one is under way, and read before that', async () => {
  const events: string[] = [];
  const work = device(events);
  await runPipeline(numbers(3, events), {
    begin: async (item) => ({ done: work(item) }),
    end: (item) => events.push(`end ${item}`) > 0,
  });
  const at = (event: string): number => events.indexOf(event);
  expect(at('read 1')).toBeLessThan(at('done 0'));
  expect(at('begin 1')).toBeLessThan(at('end 0'));
  expect(at('end 0')).toBeLessThan(at('begin 2'));
  expect(at('end 0')).toBeLessThan(at('end 1'));
  expect(events).toContain('closed');
});

test('an exclusive item ends before the next begins', async () => {
  const events: string[] = [];
  const work = device(events);
  await runPipeline(numbers(3, events), {
    begin: async (item) => ({ done: work(item) }),
    end: (item) => events.push(`end ${item}`) > 0,
    isExclusive: () => true,
  });
  expect(events.filter((event) => /begin|end/.test(event))).toEqual(
    [0, 1, 2].flatMap((item) => [`begin ${item}`, `end ${item}`]),
  );
});

test('work under way is waited for when something fails or stops, and the stream is closed', async () => {
  for (const stop of [true, false]) {
    const events: string[] = [];
    const work = device(events);
    const run = runPipeline(numbers(9, events), {
      begin: async (item) => ({ done: work(item) }),
      end() {
        if (stop) return false;
        throw new RangeError('no');
      },
    });
    if (stop) await run;
    else await expect(run).rejects.toThrow('no');
    const started = events.filter((event) => event.startsWith('start')).length;
    expect(events.filter((event) => event.startsWith('done'))).toHaveLength(started);
    expect(events).toContain('closed');
  }
});

test('a failure of the work, of the stream or of the beginning comes through', async () => {
  const events: string[] = [];
  const failing = runPipeline(numbers(2, events), {
    begin: async () => ({ done: Promise.reject(new RangeError('work')) }),
    end: () => true,
  });
  await expect(failing).rejects.toThrow('work');
  const broken = (async function* () {
    yield 1;
    throw new RangeError('stream');
  })();
  await expect(
    runPipeline(broken, { begin: async (item) => ({ done: Promise.resolve(item) }), end: () => true }),
  ).rejects.toThrow('stream');
});
