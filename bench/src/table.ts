interface Line {
  readonly network: string;
  readonly mode: string;
  readonly peer: string;
  readonly medianMilliseconds: number;
  readonly p10Milliseconds: number;
  readonly maxMilliseconds: number;
  readonly ratio: number;
}

/** The rows as a Markdown table. */
export function formatTable(rows: readonly Line[]): string {
  const cells = rows.map((row) => [
    row.mode,
    row.network,
    row.peer,
    row.medianMilliseconds.toFixed(2),
    row.p10Milliseconds.toFixed(2),
    row.maxMilliseconds.toFixed(2),
    `${row.ratio.toFixed(2)}×`,
  ]);
  return formatColumns([['mode', 'network', 'peer', 'median ms', 'p10 ms', 'max ms', 'over Modelwright'], ...cells]);
}

/** Rows of cells as a Markdown table; the first is the heading. */
export function formatColumns(table: readonly (readonly string[])[]): string {
  const [heading = [], ...rows] = table;
  const widths = heading.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(heading), rule, ...rows.map(line)].join('\n');
}
