/** JSON for people and machines alike: indented, but rows of numbers stay on one line. */
export function toJson(value: unknown): string {
  return format(value, '');
}

function format(value: unknown, indent: string): string {
  if (typeof value === 'bigint') return JSON.stringify(String(value));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => format(item, inner));
    return value.every(isScalar) ? `[${items.join(', ')}]` : block('[', items, ']', indent);
  }
  const entries = Object.entries(value).filter(([, held]) => held !== undefined);
  const items = entries.map(([key, held]) => `${JSON.stringify(key)}: ${format(held, inner)}`);
  return items.length === 0 ? '{}' : block('{', items, '}', indent);
}

function block(open: string, items: readonly string[], close: string, indent: string): string {
  return `${open}\n${items.map((item) => `${indent}  ${item}`).join(',\n')}\n${indent}${close}`;
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}
