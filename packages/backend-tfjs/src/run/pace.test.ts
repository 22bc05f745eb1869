import { expect, test } from 'vitest';
import { Pace } from './pace.js';

test.each([
  ['immediates', {}],
  ['messages', { setImmediate: undefined }],
  ['timers', { setImmediate: undefined, MessageChannel: undefined }],
])('a timer has its turn during a long series of work, by %s', async (_, lacking) => {
  const pace = new Pace({ performance, setImmediate, MessageChannel, setTimeout, ...lacking } as never);
  let hadItsTurn = false;
  setTimeout(() => {
    hadItsTurn = true;
  }, 0);
  // Without turns this would hold on to the end.
  const end = performance.now() + 5000;
  while (!hadItsTurn && performance.now() < end) await pace.keep();
  expect(hadItsTurn).toBe(true);
});

test('short work is not held up', async () => {
  let turns = 0;
  const pace = new Pace({ performance: { now: () => 0 }, setImmediate: () => turns++ });
  for (let count = 0; count < 100; count++) await pace.keep();
  expect(turns).toBe(0);
});
