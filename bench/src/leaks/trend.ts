/**
 * By how much a series grew, taken at its median slope (Theil and Sen): what grows in every window counts in full, a heap that
 * grows once, or a window that another program disturbed, hardly at all.
 *
 * `growth = (n − 1) · median over i < j of (y_j − y_i) / (j − i)`
 *
 * @see Sen, Estimates of the regression coefficient based on Kendall's tau, 1968.
 */
export function growthOf(series: readonly number[]): number {
  const slopes = series.flatMap((value, index) =>
    series.slice(index + 1).map((later, distance) => (later - value) / (distance + 1)),
  );
  if (slopes.length === 0) return 0;
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  const median =
    slopes.length % 2 === 1
      ? (slopes[middle] as number)
      : ((slopes[middle - 1] as number) + (slopes[middle] as number)) / 2;
  return median * (series.length - 1);
}
