import { expect, test } from 'vitest';
import { Pace } from './pace.js';

test.each([
  ['immediates', {}],
  ['messages', { setImmediate: undefined }],
  ['timers', { setImmediate: undefined, MessageChannel: undefined }],
])('a timer has its turn during a long series of work, by %s', async (_, lacking) => {
  const pace = new Pace({ performance, setImmediate, MessageChannel, setTimeout, ...lacking } as never);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const end = performance.now() + 100;
  while (performance.now() < end) await pace.keep();
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(2);
});

test('short work is not held up', async () => {
  let turns = 0;
  const pace = new Pace({ performance: { now: () => 0 }, setImmediate: () => turns++ });
  for (let count = 0; count < 100; count++) await pace.keep();
  expect(turns).toBe(0);
});
