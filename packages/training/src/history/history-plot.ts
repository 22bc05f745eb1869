import { axisTicks, epochTicks, readableNumber } from './axis-ticks.js';
import type { HistoryData } from './history.js';

export interface HistoryPlotOptions {
  /** Above the charts. */
  readonly title?: string;
  /** Names to show; default all. A metric brings its validation values with it. */
  readonly metrics?: readonly string[];
}

/** One chart: a metric in training and, where there is one, in validation. */
interface Chart {
  readonly name: string;
  readonly training: readonly (number | null)[] | undefined;
  readonly validation: readonly (number | null)[] | undefined;
}

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const chartWidth = 400;
const chartHeight = 270;
const chartGap = 24;
const pageMargin = 20;

const style = `
.surface{fill:#fcfcfb}.ink{fill:#1d1d1b}.quiet{fill:#6b6a64}.grid{stroke:#e4e3dd}.axis{stroke:#b9b8b0}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.training{stroke:#2a6fdb;fill:#2a6fdb}.validation{stroke:#d9730d;fill:#d9730d}.line.training,.line.validation{fill:none}
.dot{stroke:#fcfcfb;stroke-width:1.5}
text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
.name{font-size:14px;font-weight:600}.title{font-size:18px;font-weight:600}.tick{font-size:11px;font-variant-numeric:tabular-nums}
@media (prefers-color-scheme:dark){
.surface{fill:#1b1b1a}.ink{fill:#f2f1ed}.quiet{fill:#a3a29a}.grid{stroke:#343431}.axis{stroke:#5c5b56}
.training{stroke:#6ea8ff;fill:#6ea8ff}.validation{stroke:#ffa14d;fill:#ffa14d}.dot{stroke:#1b1b1a}}
`;

/** Charts of a history, one a metric, side by side. */
export function historySvg(history: HistoryData, { title, metrics }: HistoryPlotOptions): string {
  const charts = chartsOf(history, metrics);
  const columns = Math.max(1, Math.min(charts.length, charts.length === 4 ? 2 : 3));
  const rows = Math.max(1, Math.ceil(charts.length / columns));
  const head = title === undefined ? 0 : 34;
  const width = 2 * pageMargin + columns * (chartWidth + chartGap) - chartGap;
  const height = 2 * pageMargin + head + rows * (chartHeight + chartGap) - chartGap;
  const parts = charts.map((chart, index) => {
    const x = pageMargin + (index % columns) * (chartWidth + chartGap);
    const y = pageMargin + head + Math.floor(index / columns) * (chartHeight + chartGap);
    return `<g transform="translate(${x} ${y})">${drawChart(chart, history.epochs)}</g>`;
  });
  if (title !== undefined) parts.unshift(text(pageMargin, pageMargin + 16, title, 'ink title'));
  if (charts.length === 0) parts.push(text(pageMargin, height / 2, 'No epoch has been recorded.', 'quiet'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(title ?? 'Training history')}"><style>${style}</style><rect class="surface" width="100%" height="100%"/>${parts.join('')}</svg>\n`;
}

// `val_loss` or `valLoss` belongs to `loss`.
function trainingNameOf(name: string): string {
  if (name.startsWith('val_')) return name.slice(4);
  return /^val[A-Z]/.test(name) ? name.charAt(3).toLowerCase() + name.slice(4) : name;
}

function chartsOf({ values }: HistoryData, metrics: readonly string[] | undefined): readonly Chart[] {
  const names = [...new Set(Object.keys(values).map(trainingNameOf))].filter((name) => metrics?.includes(name) ?? true);
  names.sort((a, b) => chartRank(a) - chartRank(b));
  return names.map((name) => {
    const validation = Object.keys(values).find((other) => other !== name && trainingNameOf(other) === name);
    return { name, training: values[name], validation: validation === undefined ? undefined : values[validation] };
  });
}

function chartRank(name: string): number {
  if (name === 'loss') return 0;
  return name === 'learningRate' ? 2 : 1;
}

function drawChart(chart: Chart, epochs: readonly number[]): string {
  const frame: Frame = { left: 52, top: 44, width: chartWidth - 62, height: chartHeight - 44 - 38 };
  const finite = [...(chart.training ?? []), ...(chart.validation ?? [])].filter(
    (value): value is number => value !== null,
  );
  if (finite.length === 0)
    return text(0, 14, chart.name, 'ink name') + text(0, 44, 'No finite value was recorded.', 'quiet');
  const ticks = axisTicks(Math.min(...finite), Math.max(...finite), 5);
  const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
  const x = (epoch: number): number =>
    frame.left + (last === first ? frame.width / 2 : ((epoch - first) / (last - first)) * frame.width);
  const y = (value: number): number =>
    frame.top + frame.height * (1 - (value - ticks.start) / (ticks.end - ticks.start));
  const series = (values: readonly (number | null)[] | undefined, kind: 'training' | 'validation'): string =>
    values === undefined ? '' : drawSeries(values, { epochs, x, y, kind, name: chart.name });
  return [
    text(0, 14, chart.name, 'ink name'),
    drawLegend(chart),
    ...ticks.values.map((value, index) =>
      drawHorizontal(y(value), ticks.labels[index] as string, { frame, base: index === 0 }),
    ),
    ...epochTicks(first, last, 6).map((epoch) =>
      text(x(epoch), frame.top + frame.height + 16, String(epoch), 'quiet tick', 'middle'),
    ),
    text(frame.left + frame.width / 2, frame.top + frame.height + 33, 'epoch', 'quiet tick', 'middle'),
    series(chart.training, 'training'),
    series(chart.validation, 'validation'),
  ].join('');
}

function drawHorizontal(y: number, label: string, { frame, base }: { frame: Frame; base: boolean }): string {
  const line = `<line class="${base ? 'axis' : 'grid'}" x1="${frame.left}" x2="${frame.left + frame.width}" y1="${round(y)}" y2="${round(y)}"/>`;
  return line + text(frame.left - 8, y + 4, label, 'quiet tick', 'end');
}

/** A key with the last value of each line; a lone training line needs none but its value. */
function drawLegend({ training, validation }: Chart): string {
  const entries: { kind: string; label: string }[] = [];
  for (const [kind, values] of [
    ['training', training],
    ['validation', validation],
  ] as const) {
    const value = values?.findLast((candidate) => candidate !== null);
    if (value !== undefined && value !== null)
      entries.push({ kind, label: `${validation === undefined ? 'last' : kind} ${readableNumber(value)}` });
  }
  let at = 0;
  return entries
    .map(({ kind, label }) => {
      const mark = `<line class="line ${kind}" x1="${at}" x2="${at + 14}" y1="29" y2="29"/>`;
      const entry = mark + text(at + 20, 33, label, 'quiet');
      at += 36 + label.length * 6.4;
      return entry;
    })
    .join('');
}

interface SeriesContext {
  readonly epochs: readonly number[];
  readonly x: (epoch: number) => number;
  readonly y: (value: number) => number;
  readonly kind: 'training' | 'validation';
  readonly name: string;
}

function drawSeries(values: readonly (number | null)[], { epochs, x, y, kind, name }: SeriesContext): string {
  let path = '';
  let drawing = false;
  const dots: string[] = [];
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const epoch = epochs[index] as number;
    const at = `${round(x(epoch))} ${round(y(value))}`;
    path += `${drawing ? 'L' : 'M'}${at}`;
    drawing = true;
    const [cx, cy] = at.split(' ');
    const hint = `epoch ${epoch}, ${kind} ${name}: ${readableNumber(value)}`;
    // Few epochs show their dots; many only where the mouse finds them.
    const look = values.length <= 15 ? `class="dot ${kind}" r="3"` : 'fill="transparent" r="6"';
    dots.push(`<circle ${look} cx="${cx}" cy="${cy}"><title>${escapeText(hint)}</title></circle>`);
  });
  return `<path class="line ${kind}" d="${path}"/>${dots.join('')}`;
}

/** The charts and a table of all numbers. */
export function historyPage(history: HistoryData, options: HistoryPlotOptions): string {
  const title = options.title ?? 'Training history';
  const names = Object.keys(history.values);
  const cell = (value: number | null | undefined): string =>
    `<td>${value === null || value === undefined ? '–' : readableNumber(value)}</td>`;
  const rows = history.epochs.map(
    (epoch, index) => `<tr><th>${epoch}</th>${names.map((name) => cell(history.values[name]?.[index])).join('')}</tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeText(title)}</title>
<style>
:root{color-scheme:light dark;--surface:#fcfcfb;--ink:#1d1d1b;--quiet:#6b6a64;--grid:#e4e3dd}
@media (prefers-color-scheme:dark){:root{--surface:#1b1b1a;--ink:#f2f1ed;--quiet:#a3a29a;--grid:#343431}}
body{margin:0;background:var(--surface);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
svg{display:block;max-width:100%;height:auto}
.scroll{overflow-x:auto;margin:0 20px 32px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:4px 16px 4px 0;text-align:right;border-bottom:1px solid var(--grid);font-weight:400}
thead th,tbody th{color:var(--quiet)}
</style></head><body>
${historySvg(history, { ...options, title })}<div class="scroll"><table><thead><tr><th>epoch</th>${names.map((name) => `<th>${escapeText(name)}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>
</body></html>
`;
}

function text(x: number, y: number, content: string, className: string, anchor?: 'middle' | 'end'): string {
  const anchored = anchor === undefined ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${className}" x="${round(x)}" y="${round(y)}"${anchored}>${escapeText(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
