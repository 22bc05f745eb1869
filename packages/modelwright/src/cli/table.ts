import { stripVTControlCharacters } from 'node:util';

/** A column: its heading, and on which side its cells line up. */
export interface Column {
  readonly heading: string;
  readonly align?: 'left' | 'right';
}

/** Lines of a plain table, two spaces between columns; no heading line if all headings are empty. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const headings = columns.map(({ heading }) => heading);
  const lines = headings.some((heading) => heading !== '') ? [headings, ...rows] : rows;
  const widths = columns.map((_, at) => Math.max(...lines.map((cells) => visibleLength(cells[at] ?? ''))));
  const render = (cells: readonly string[]): string =>
    columns
      .map(({ align }, at) => pad(cells[at] ?? '', widths[at] ?? 0, align))
      .join('  ')
      .trimEnd();
  return lines.map(render).join('\n');
}

function pad(cell: string, width: number, align: Column['align'] = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - visibleLength(cell)));
  return align === 'right' ? space + cell : cell + space;
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** `text` with `prefix` in front of every line. */
export function indent(text: string, prefix = '  '): string {
  return text.replace(/^(?=.)/gm, prefix);
}
