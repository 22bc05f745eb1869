import {
  formatBytes,
  formatCount,
  formatError,
  formatFactor,
  formatMemory,
  formatMilliseconds,
  formatQuality,
  formatRate,
  formatSpeedup,
  short,
  sparsityOf,
} from './format.js';
import type { OptimizationRecord, StageRecord } from './record.js';

/** A table of a report: the same for text and HTML. */
export interface ReportTable {
  readonly title: string;
  readonly columns: readonly string[];
  /** First cells are names, all others numbers. */
  readonly rows: readonly (readonly string[])[];
  readonly caption?: string;
}

const shownLayers = 12;
const roundingError = 1e-5;

/** The tables of a record: what it is, how fast it is on each backend, and what each step did to the layers. */
export function tablesOf(record: OptimizationRecord): readonly ReportTable[] {
  const { stages } = record;
  const [first] = stages;
  if (first === undefined) return [];
  const backends = [...new Set(stages.flatMap(({ speeds }) => speeds.map(({ backend }) => backend)))];
  return [
    sizeTable(record, first),
    ...backends.map((backend) => speedTable(stages, backend)),
    ...stages.flatMap((stage) => errorTable(stage)),
  ];
}

/** The tables and notes of a record as plain text. */
export function renderText(record: OptimizationRecord): string {
  const tables = tablesOf(record).map(({ title, columns, rows, caption }) =>
    [title, indent(alignColumns([columns, ...rows])), ...(caption === undefined ? [] : [indent(caption)])].join('\n'),
  );
  const notes = record.stages.flatMap(({ name, notes: lines }) => lines.map((line) => `${name}: ${line}`));
  return [...tables, ...(notes.length === 0 ? [] : [['Notes', indent(notes.join('\n'))].join('\n')])].join('\n\n');
}

function sizeTable({ model, stages }: OptimizationRecord, first: StageRecord): ReportTable {
  const [quality] = stages.flatMap((stage) => (stage.quality === undefined ? [] : [stage.quality.name]));
  const columns = ['', quality, 'file', '', 'compressed', '', 'weights', 'zeros', 'multiply-adds', 'memory'];
  const rows = stages.map((stage) => [
    stage.name,
    stage.quality === undefined ? '' : formatQuality(stage.quality),
    formatBytes(stage.fileBytes),
    formatFactor(first.fileBytes, stage.fileBytes),
    formatBytes(stage.compressedBytes),
    formatFactor(first.compressedBytes, stage.compressedBytes),
    formatCount(stage.weights),
    sparsityOf(stage) < 5e-4 ? '' : `${short(sparsityOf(stage) * 100)} %`,
    stage.multiplyAdds === undefined ? '' : formatCount(stage.multiplyAdds),
    stage.peakMemoryBytes === undefined ? '' : formatBytes(stage.peakMemoryBytes),
  ]);
  const kept = columns.map((heading, at) => heading !== undefined && (at === 0 || rows.some((row) => row[at] !== '')));
  const keep = <T>(cells: readonly T[]): readonly T[] => cells.filter((_, at) => kept[at]);
  return {
    title: `${model}, step by step`,
    columns: keep(columns).map((heading) => heading ?? ''),
    rows: rows.map(keep),
    caption: 'Compressed is gzip. Multiply-adds and memory (weights and what flows at once) are of one example.',
  };
}

function speedTable(stages: readonly StageRecord[], backend: string): ReportTable {
  const measured = stages.flatMap((stage) => {
    const speed = stage.speeds.find((each) => each.backend === backend);
    return speed === undefined ? [] : [{ stage, speed }];
  });
  const [{ speed: any } = { speed: undefined }] = measured;
  const [one, many] = [any?.latency.batch ?? 1, any?.throughput.batch ?? 1];
  const withMemory = measured.some(({ speed }) => speed.memoryBytes !== undefined);
  const rows = measured.map(({ stage, speed: { latency, throughput, memoryBytes } }, at) => [
    stage.name,
    formatMilliseconds(latency.milliseconds),
    at === 0 ? '' : formatSpeedup(latency.speedup),
    formatRate(throughput.examplesPerSecond),
    at === 0 ? '' : formatSpeedup(throughput.speedup),
    ...(withMemory ? [memoryBytes === undefined ? '' : formatMemory(memoryBytes)] : []),
  ]);
  const threads = any?.threads ?? 1;
  return {
    title: `Speed on ${backend}, ${threads} thread${threads === 1 ? '' : 's'}`,
    columns: ['', `batch ${one}`, 'faster', `batch ${many}`, 'faster', ...(withMemory ? ['peak memory'] : [])],
    rows,
    caption: `Medians of ${any?.latency.milliseconds.count ?? 0} and ${any?.throughput.milliseconds.count ?? 0} rounds with 95 % ranges; all models had their turn in every round.${withMemory ? ` Memory is by how much a process of its own grew to load the model and run ${many}.` : ''}`,
  };
}

function errorTable({ name, errors }: StageRecord): readonly ReportTable[] {
  const [worst] = errors?.layers ?? [];
  // What rounding of float32 does is no change: of a folded graph there is nothing to say.
  const isRounding = errors?.layers.every(({ ownError }) => ownError < roundingError) ?? true;
  if (errors === undefined || worst === undefined || isRounding) return [];
  const rows = errors.layers
    .slice(0, shownLayers)
    .map(({ layer, op, outputError, ownError, accumulatedError }) => [
      layer,
      op,
      formatError(outputError),
      formatError(ownError),
      formatError(accumulatedError),
    ]);
  const more = errors.layers.length - rows.length;
  return [
    {
      title: `Layers after '${name}': outputs moved by ${formatError(errors.outputError)}; '${worst.layer}' hurts most`,
      columns: ['layer', 'op', 'moves the outputs', 'own error', 'accumulated'],
      rows,
      caption: `Relative errors over ${errors.examples} example${errors.examples === 1 ? '' : 's'}; the first column is that of the layer changed alone.${more > 0 ? ` ${more} more layers.` : ''}`,
    },
  ];
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((cells) => (cells[at] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
