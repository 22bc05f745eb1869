import { formatShape, type LayerInfo, type Model, type Parameter } from '@modelwright/core';

/** A table of a model's layers: name and kind, output shape, parameters, what each reads; then the totals. */
export function summarize(model: Model): string {
  const counts = new Map(model.parameters.map((parameter) => [parameter.name, model.weightOf(parameter).elementCount]));
  const countOf = (names: readonly string[]): number => names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
  const layers = model.layers.length > 0 ? model.layers : layersOfParameters(model.parameters);
  const rows = layers.map(({ name, kind, outputShape, parameters, inputs }) => [
    `${name} (${kind})`,
    formatShape(outputShape).replaceAll(',', ', '),
    countOf(parameters).toLocaleString('en-US'),
    inputs.join(', '),
  ]);
  // In a plain chain the last column would only repeat the first.
  const chain = layers.every(
    ({ inputs }, index) => index === 0 || (inputs.length === 1 && inputs[0] === layers[index - 1]?.name),
  );
  const heads = ['Layer (kind)', 'Output shape', 'Param #', 'Connected to'];
  const columns = chain ? 3 : 4;
  const table = drawTable([heads, ...rows].map((row) => row.slice(0, columns)));
  return `Model: ${model.name}\n${table}\n${totals(model, countOf)}`;
}

function totals(model: Model, countOf: (names: readonly string[]) => number): string {
  const bytes = model.parameters.reduce((sum, parameter) => sum + byteLengthOf(model, parameter), 0);
  const trainable = countOf(model.parameters.filter((parameter) => parameter.trainable).map(({ name }) => name));
  const frozen = countOf(model.parameters.filter((parameter) => !parameter.trainable).map(({ name }) => name));
  const line = (label: string, count: number): string => `${label}: ${count.toLocaleString('en-US')}`;
  return [
    `${line('Total params', trainable + frozen)} (${readableBytes(bytes)})`,
    line('Trainable params', trainable),
    line('Non-trainable params', frozen),
  ].join('\n');
}

function byteLengthOf(model: Model, parameter: Parameter): number {
  const { data } = model.weightOf(parameter);
  return Array.isArray(data) ? 0 : data.byteLength;
}

/** For models that know no layers (read from a file, say): one row for the weights under each path. */
function layersOfParameters(parameters: readonly Parameter[]): readonly LayerInfo[] {
  const groups = new Map<string, string[]>();
  for (const { name } of parameters) {
    const path = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : name;
    groups.set(path, [...(groups.get(path) ?? []), name]);
  }
  return [...groups].map(([name, names]) => ({
    name,
    kind: 'weights',
    outputShape: [],
    parameters: names,
    inputs: [],
  }));
}

function drawTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (left: string, middle: string, right: string): string =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  const cells = rows.map((row, index) => {
    const padded = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 2 && index > 0 ? cell.padStart(width) : cell.padEnd(width);
    });
    return `│ ${padded.join(' │ ')} │`;
  });
  return [line('┌', '┬', '┐'), cells[0], line('├', '┼', '┤'), ...cells.slice(1), line('└', '┴', '┘')].join('\n');
}

function readableBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)} ${units[unit]}`;
}
