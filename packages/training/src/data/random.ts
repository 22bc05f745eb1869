/** Numbers that depend on the seed alone: the same on every machine, and resumable from seed and epoch. */
export interface RandomSource {
  /** An integer in [0, 2³²). */
  nextUint32(): number;
  /** An integer in [0, limit), unbiased. */
  nextBelow(limit: number): number;
}

/**
 * The generator xoshiro128**, seeded through SplitMix32 from any number of integers.
 *
 * @param seeds - Each is taken modulo 2³²; `(seed, epoch)` gives each epoch an order of its own.
 * @see Blackman and Vigna, arXiv:1805.01407.
 */
export function createRandom(...seeds: readonly number[]): RandomSource {
  const state = seedState(seeds);
  const nextUint32 = (): number => {
    const [s0, s1, s2, s3] = state as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    state[1] = s1 ^ t2;
    state[0] = s0 ^ t3;
    state[2] = t2 ^ (s1 << 9);
    state[3] = rotate(t3, 11);
    return result;
  };
  const nextBelow = (limit: number): number => {
    // The last, incomplete stretch of multiples would favour small numbers.
    const usable = 2 ** 32 - (2 ** 32 % limit);
    let drawn = nextUint32();
    while (drawn >= usable) drawn = nextUint32();
    return drawn % limit;
  };
  return { nextUint32, nextBelow };
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function seedState(seeds: readonly number[]): Uint32Array {
  let mixed = 0;
  for (const seed of seeds) mixed = splitMix(mixed ^ (seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b));
  const state = new Uint32Array(4);
  for (let index = 0; index < 4; index++) {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    state[index] = splitMix(mixed);
  }
  return state;
}

function splitMix(x: number): number {
  let z = (x + 0x9e3779b9) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

/** `order` in a random order (Fisher–Yates), in place. */
export function shuffleInPlace(order: Uint32Array, random: RandomSource): Uint32Array {
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.nextBelow(last + 1);
    const held = order[last] as number;
    order[last] = order[other] as number;
    order[other] = held;
  }
  return order;
}
