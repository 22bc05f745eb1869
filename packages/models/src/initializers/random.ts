/** Random numbers that depend on the seed alone. */
export interface Random {
  /** In [0, 1), with 53 bits. */
  uniform(): number;
  /** Mean 0, variance 1. */
  normal(): number;
}

/**
 * The generator xoshiro128**, seeded from an integer and, to give each weight numbers of its own, a name.
 *
 * @see Blackman and Vigna, arXiv:1805.01407.
 */
export function createRandom(seed: number, name = ''): Random {
  const state = seedState(seed, name);
  const next = (): number => {
    const [s0, s1, s2, s3] = state as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    state.set([s0 ^ t3, s1 ^ t2, t2 ^ (s1 << 9), rotate(t3, 11)]);
    return result;
  };
  const uniform = (): number => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) * 2 ** -53;
  let spare: number | undefined;
  // Box and Muller: both numbers of a pair are used.
  const normal = (): number => {
    if (spare !== undefined) {
      const held = spare;
      spare = undefined;
      return held;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { uniform, normal };
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function seedState(seed: number, name: string): Uint32Array {
  let mixed = mix((seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b));
  for (let index = 0; index < name.length; index++) mixed = mix(mixed ^ name.charCodeAt(index));
  const state = new Uint32Array(4);
  for (let index = 0; index < 4; index++) {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    state[index] = mix(mixed);
  }
  return state;
}

function mix(x: number): number {
  let z = (x + 0x9e3779b9) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
