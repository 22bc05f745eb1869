import { formatBytes, formatSpeedup } from './format.js';
import type { OptimizationRecord, StageRecord } from './record.js';
import { type ReportTable, tablesOf } from './render-text.js';

/** A record as one HTML page with nothing outside of itself. */
export function renderHtml(record: OptimizationRecord): string {
  const title = `${record.model}: what optimizing it cost and gained`;
  const notes = record.stages.flatMap(({ name, notes: lines }) =>
    lines.map((line) => `<li><b>${escapeText(name)}</b>: ${escapeText(line)}</li>`),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeText(title)}</h1>
<p>${escapeText(record.date.slice(0, 10))}, Modelwright</p>
${barsOf(record)}
${tablesOf(record).map(renderTable).join('\n')}
${notes.length === 0 ? '' : `<h2>Notes</h2>\n<ul>\n${notes.join('\n')}\n</ul>`}
<script type="application/json" id="record">${JSON.stringify(record).replaceAll('<', '\\u003c')}</script>
</body>
</html>
`;
}

const style = `
:root { color-scheme: light dark; --bar: #3b7dd8; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
caption { caption-side: bottom; text-align: left; opacity: .7; font-size: .85rem; padding-top: .25rem; }
.bars { display: grid; grid-template-columns: max-content 1fr; gap: .25rem .75rem; align-items: center; }
.bars i { display: inline-block; background: var(--bar); height: .9rem; border-radius: 2px; margin-right: .5rem; vertical-align: middle; }
`;

function renderTable({ title, columns, rows, caption }: ReportTable): string {
  const cells = (tag: 'th' | 'td', values: readonly string[]): string =>
    `<tr>${values.map((value) => `<${tag}>${escapeText(value)}</${tag}>`).join('')}</tr>`;
  const foot = caption === undefined ? '' : `<caption>${escapeText(caption)}</caption>`;
  return `<h2>${escapeText(title)}</h2>
<table>${foot}<thead>${cells('th', columns)}</thead>
<tbody>${rows.map((row) => cells('td', row)).join('\n')}</tbody></table>`;
}

/** What most want to see first: the size of the file and the speed with many examples. */
function barsOf({ stages }: OptimizationRecord): string {
  const size = bars('Size of the file', stages, ({ fileBytes }) => ({
    length: fileBytes,
    text: formatBytes(fileBytes),
  }));
  const speed = bars('Speed with many examples at once', stages, ({ name, speeds: [first] }) => {
    const speedup = first?.throughput.speedup;
    return speedup === undefined
      ? undefined
      : { length: speedup.median, text: name === stages[0]?.name ? '1×' : formatSpeedup(speedup) };
  });
  return [size, speed].join('\n');
}

function bars(
  title: string,
  stages: readonly StageRecord[],
  measure: (stage: StageRecord) => { readonly length: number; readonly text: string } | undefined,
): string {
  const found = stages.flatMap((stage) => {
    const bar = measure(stage);
    return bar === undefined ? [] : [{ name: stage.name, ...bar }];
  });
  if (found.length === 0) return '';
  const longest = Math.max(...found.map(({ length }) => length), Number.MIN_VALUE);
  const rows = found.map(
    ({ name, length, text }) =>
      `<span>${escapeText(name)}</span><span><i style="width:${((length / longest) * 60).toFixed(1)}%"></i>${escapeText(text)}</span>`,
  );
  return `<h2>${escapeText(title)}</h2>\n<div class="bars">${rows.join('\n')}</div>`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
