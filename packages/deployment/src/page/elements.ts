/// <reference lib="dom" />

/** Makes an element with properties and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** The element of the page with this id. */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

/** `1.4 MB` */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`;
  const [divisor, unit] = sizeBytes < 1e6 ? [1e3, 'kB'] : [1e6, 'MB'];
  return `${(sizeBytes / divisor).toFixed(sizeBytes < 1e6 ? 0 : 1)} ${unit}`;
}
