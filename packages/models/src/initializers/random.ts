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
  let [s0, s1, s2, s3] = seedState(seed, name);
  // Large weights draw millions: the state lives in locals.
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotate(s3, 11);
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

function seedState(seed: number, name: string): [number, number, number, number] {
  let mixed = mix((seed >>> 0) ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b));
  for (let index = 0; index < name.length; index++) mixed = mix(mixed ^ name.charCodeAt(index));
  const draw = (): number => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    return mix(mixed);
  };
  return [draw(), draw(), draw(), draw()];
}

function mix(x: number): number {
  let z = (x + 0x9e3779b9) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}
