import { expect, test } from 'vitest';
import { SharedStart, Turns } from './shared-start.js';

test('makes it once for all that ask, and tells all what went wrong', async () => {
  const start = new SharedStart<number>();
  let made = 0;
  const make = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return ++made;
  };
  expect(await Promise.all([start.get(make), start.get(make), start.get(make)])).toEqual([1, 1, 1]);
  const failing = new SharedStart<number>();
  let tried = 0;
  const fail = async (): Promise<number> => {
    tried++;
    throw new Error('no');
  };
  const results = await Promise.allSettled([failing.get(fail), failing.get(fail)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(tried).toBe(1);
});

test('turns do not overlap, and one that fails gives the next its turn', async () => {
  const turns = new Turns();
  let inside = 0;
  let most = 0;
  const task = async (index: number): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside--;
    if (index === 1) throw new Error('no');
  };
  const results = await Promise.allSettled([0, 1, 2, 3].map((index) => turns.take(() => task(index))));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(most).toBe(1);
});
