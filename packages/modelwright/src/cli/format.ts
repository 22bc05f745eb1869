const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** `1.6 MB`, in powers of 1000. */
export function formatBytes(sizeBytes: number): string {
  const power = sizeBytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(sizeBytes) / 3));
  const value = sizeBytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[power]}`;
}

/** `421,642` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `0.123 ms`, `12.3 ms`, `1.23 s`: three digits that matter. */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toPrecision(3)} s`;
  return `${milliseconds >= 100 ? milliseconds.toFixed(0) : milliseconds.toPrecision(3)} ms`;
}

/** `1 node`, `3 nodes` */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

const longestExtent = 24;

/** `[batch, 3, 28, 28]`; an expression over symbols that would fill the line becomes `…`. */
export function formatExtents(shape: readonly (number | string)[]): string {
  const shown = shape.map((extent) => (String(extent).length > longestExtent ? '…' : String(extent)));
  return `[${shown.join(', ')}]`;
}
