import type { SupportReport } from './suite.js';

/**
 * What backends run, as a Markdown table: a row a family of ops, a column a backend; each cell counts cases that pass of
 * all cases, known failures and refusals stand behind. Reasons of known failures follow the table.
 */
export function supportTable(reports: readonly SupportReport[]): string {
  const families = [...new Set(reports.flatMap(({ outcomes }) => Object.keys(outcomes).map(familyOf)))].sort();
  const columns = reports.map(({ name }) => name);
  const rows = families.map((family) => [family, ...reports.map((report) => cellOf(report, family))]);
  const totals = ['**all**', ...reports.map((report) => cellOf(report, undefined))];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = [
    line(['ops', ...columns]),
    line(['---', ...columns.map(() => '---')]),
    ...rows.map(line),
    line(totals),
  ];
  return [...table, ...reports.flatMap(reasonsOf)].join('\n');
}

function familyOf(id: string): string {
  return id.split('/')[0] as string;
}

function cellOf({ outcomes }: SupportReport, family: string | undefined): string {
  const seen = Object.entries(outcomes).filter(([id]) => family === undefined || familyOf(id) === family);
  const count = (wanted: string): number => seen.filter(([, outcome]) => outcome === wanted).length;
  const notes = (['known failure', 'refused'] as const).flatMap((outcome) =>
    count(outcome) > 0 ? [`${count(outcome)} ${outcome}`] : [],
  );
  return `${count('passed')}/${seen.length}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
}

function reasonsOf({ name, knownFailures }: SupportReport): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const [id, reason] of Object.entries(knownFailures)) byReason.set(reason, [...(byReason.get(reason) ?? []), id]);
  if (byReason.size === 0) return [];
  const items = [...byReason].map(([reason, ids]) => `- ${reason}: ${ids.map((id) => `\`${id}\``).join(', ')}`);
  return ['', `Known failures of ${name}:`, '', ...items];
}
