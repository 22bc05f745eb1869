/** How far forecasts are from what came. */
export interface ForecastErrors {
  /** Mean absolute error, in births. */
  readonly absolute: number;
  /** Root of the mean squared error, in births. */
  readonly squared: number;
}

/** Compares forecasts with what came, day by day. */
export function errorsOf(forecasts: ArrayLike<number>, actual: ArrayLike<number>): ForecastErrors {
  let [absolute, squared] = [0, 0];
  for (let day = 0; day < actual.length; day++) {
    const error = (forecasts[day] as number) - (actual[day] as number);
    absolute += Math.abs(error);
    squared += error * error;
  }
  return { absolute: absolute / actual.length, squared: Math.sqrt(squared / actual.length) };
}

/** A table of forecasts, each beside the first one. */
export function drawTable(rows: readonly { readonly name: string; readonly errors: ForecastErrors }[]): string {
  const reference = rows[0]?.errors.absolute ?? 1;
  const cells = rows.map(({ name, errors }) => [
    name,
    errors.absolute.toFixed(0),
    errors.squared.toFixed(0),
    `${((100 * errors.absolute) / reference).toFixed(0)} %`,
  ]);
  const table = [['forecast', 'mean error', 'root mean square', 'of the naive'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number),
      )
      .join('  ');
  return [
    line(table[0] as string[]),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...table.slice(1).map(line),
  ].join('\n');
}
