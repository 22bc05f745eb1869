import fc from 'fast-check';

/** What no field expects. */
const oddValues: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 31,
  2 ** 53,
  1e308,
  -0,
  '',
  'x',
  'NaN',
  '9223372036854775808',
  '\ud800',
  '__proto__',
  'x'.repeat(5000),
  [],
  {},
  [[[[]]]],
  [null],
  Array(300).fill(1),
  { b64: 'AAAA' },
  { b64: '*' },
  JSON.parse('{"__proto__": 1, "constructor": {"prototype": 1}}'),
];

const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...oddValues) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);

interface Mutation {
  readonly place: number;
  readonly kind: 'replace' | 'remove' | 'repeat' | 'rename';
  readonly value: unknown;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(),
  kind: fc.constantFrom('replace', 'replace', 'remove', 'repeat', 'rename'),
  value: oddValue,
});

/** `base` with none to three things in it changed. */
export function mutated(base: unknown): fc.Arbitrary<unknown> {
  return fc.array(mutation, { maxLength: 3 }).map((changes) => {
    const root = { value: structuredClone(base) };
    for (const change of changes) apply(change, root);
    return root.value;
  });
}

function apply({ place, kind, value }: Mutation, root: object): void {
  const places = placesIn(root);
  const chosen = places[place % places.length];
  if (chosen === undefined) return;
  const [holder, key] = chosen;
  const own = holder[key];
  if (kind === 'remove' && Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (kind === 'remove') delete holder[key];
  else if (kind === 'repeat' && Array.isArray(holder)) holder.push(structuredClone(own));
  else if (kind === 'rename' && !Array.isArray(holder)) holder[`${key}_`] = structuredClone(own);
  else holder[key] = structuredClone(value);
}

/** Every member of every object and list. */
function placesIn(value: unknown): (readonly [Record<string, unknown>, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [value as Record<string, unknown>, key] as const,
    ...placesIn(inner),
  ]);
}

interface ByteChange {
  readonly at: number;
  readonly kind: 'set' | 'cut' | 'insert' | 'end';
  readonly bytes: Uint8Array;
}

const byteChange: fc.Arbitrary<ByteChange> = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('set', 'set', 'cut', 'insert', 'end'),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
});

/** `base` with one to four places of its bytes changed. */
export function mutatedBytes(base: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.array(byteChange, { minLength: 1, maxLength: 4 }).map((changes) => {
    let bytes = base.slice();
    for (const { at, kind, bytes: given } of changes) {
      const place = bytes.length === 0 ? 0 : at % bytes.length;
      const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
      if (kind === 'set') bytes = Uint8Array.of(...before, ...given, ...after.subarray(given.length));
      else if (kind === 'cut') bytes = Uint8Array.of(...before, ...after.subarray(given.length));
      else if (kind === 'insert') bytes = Uint8Array.of(...before, ...given, ...after);
      else bytes = before.slice();
    }
    return bytes;
  });
}
