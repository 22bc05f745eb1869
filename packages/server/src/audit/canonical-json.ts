/** JSON of a value in one form only: keys sorted by code unit, no spaces, no fields without value (RFC 8785 for what JSON can hold). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((held) => canonicalJson(held ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return fromFields(canonicalFields(value));
}

/** A field's key, and the field as it stands in canonical JSON. */
export type CanonicalField = readonly [key: string, text: string];

/** Fields of an object in their order. */
export function canonicalFields(value: object): readonly CanonicalField[] {
  const fields: CanonicalField[] = [];
  for (const [key, held] of Object.entries(value))
    if (held !== undefined) fields.push([key, `${JSON.stringify(key)}:${canonicalJson(held)}`]);
  return fields.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The object that has these fields. */
export function fromFields(fields: readonly CanonicalField[]): string {
  return `{${fields.map(([, text]) => text).join(',')}}`;
}
