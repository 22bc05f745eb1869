import { isModelwrightError, type Model, print, supportOf } from '@modelwright/core';
import { OptimizationReport, recordKey, recordOf } from '@modelwright/optimization';
import type { Command } from 'commander';
import { type BackendConfiguration, parseBackendConfiguration } from '../backend/backend-configuration.js';
import { loadBackend } from '../backend/load-backend.js';
import { formatBytes, formatCount, formatExtents, plural } from '../cli/format.js';
import { collectNames } from '../cli/option-values.js';
import { bold, type CommandResult, dim, type OutputOptions, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';
import { labelOf, nameOf, usualBackends } from '../model/choose-backend.js';
import {
  allNodes,
  describeModel,
  type ModelDescription,
  parametersOf,
  sizeBytesOf,
  type TypeDescription,
} from '../model/describe-model.js';
import { type ModelFile, type OpenedModel, openModel } from '../model/open-model.js';

interface InspectOptions extends OutputOptions {
  readonly nodes?: boolean;
  readonly weights?: boolean;
  readonly graph?: boolean;
  readonly backend?: readonly string[];
}

interface BackendReport {
  readonly backend: string;
  readonly available: boolean;
  readonly runs: boolean;
  readonly reasons: readonly string[];
}

const examples = `
Examples:
  $ modelwright inspect digits.onnx
  $ modelwright inspect digits.onnx --weights --nodes
  $ modelwright inspect digits.onnx --json | jq .parameterCount
  $ modelwright inspect digits.onnx --backend onnxruntime:webgpu       can this backend run it?

Exits with 4 if a backend named by --backend cannot run the model.`;

/** `modelwright inspect FILE`: what is in a model, and what can run it. */
export function addInspectCommand(program: Command): void {
  program
    .command('inspect')
    .description('show what is in a model and which backends can run it')
    .argument('<file>', 'the model, an .onnx file')
    .option('--nodes', 'list every node with its shapes')
    .option('--weights', 'list every weight')
    .option('--graph', 'print the graph as text')
    .option(
      '-b, --backend <names>',
      'backends to check, with commas between (default: all that come along)',
      collectNames,
    )
    .option('--json', 'print everything as JSON')
    .addHelpText('after', examples)
    .action((file: string, options: InspectOptions) => runCommand(options, () => inspect(file, options)));
}

async function inspect(file: string, options: InspectOptions): Promise<CommandResult> {
  const opened = await openModel(file);
  const description = describeModel(opened.model);
  const backends = await reportBackends(opened.model, options.backend);
  const record = recordOf(opened.model);
  const data = {
    file: opened.file,
    ...description,
    backends,
    ...(record === undefined ? {} : { optimization: record }),
    ...(options.nodes ? { nodes: describeNodes(opened.model) } : {}),
    ...(options.weights ? { weights: describeWeights(opened.model) } : {}),
    ...(options.graph ? { graph: print(opened.model.graph) } : {}),
  };
  const refused = options.backend !== undefined && backends.some(({ runs }) => !runs);
  return { data, text: () => renderText(opened, { description, backends, options }), exitCode: refused ? 4 : 0 };
}

async function reportBackends(model: Model, asked: readonly string[] | undefined): Promise<readonly BackendReport[]> {
  const configurations = asked?.map((name) => parseBackendConfiguration(name, '--backend'));
  const reports: BackendReport[] = [];
  for (const each of configurations ?? (await usualBackends())) reports.push(await reportBackend(model, each));
  return reports;
}

async function reportBackend(model: Model, configuration: BackendConfiguration): Promise<BackendReport> {
  try {
    const backend = await loadBackend(configuration);
    const { runs, obstacles, notes } = supportOf(model, backend.capabilities);
    await backend.dispose();
    return { backend: labelOf(backend), available: true, runs, reasons: [...obstacles, ...notes] };
  } catch (error) {
    const expected =
      isModelwrightError(error, 'backend-unavailable') || isModelwrightError(error, 'invalid-configuration');
    if (!expected) throw error;
    const reasons = [error.message, ...(error.details.hint ? [error.details.hint] : [])];
    return { backend: nameOf(configuration), available: false, runs: false, reasons };
  }
}

function renderText(
  { model, file }: OpenedModel,
  {
    description,
    backends,
    options,
  }: { description: ModelDescription; backends: readonly BackendReport[]; options: InspectOptions },
): string {
  const record = recordOf(model);
  const sections = [
    renderHeading(file, description),
    renderSignature(description),
    section('ops', renderOps(description)),
    ...(model.layers.length > 0 ? [section('layers', renderLayers(model))] : []),
    ...(options.weights ? [section('weights', renderWeights(model))] : []),
    ...(options.nodes ? [section('nodes', renderNodes(model))] : []),
    section('backends', renderBackends(backends)),
    ...(record === undefined ? [] : [section('optimized', new OptimizationReport(record).toString())]),
    ...(options.graph ? [print(model.graph)] : []),
  ];
  return sections.join('\n\n');
}

function renderHeading(file: ModelFile, description: ModelDescription): string {
  const opsets = Object.entries(file.opsets).map(([domain, version]) => `${domain || 'opset'} ${version}`);
  const producer = file.producer === '' ? [] : [`by ${file.producer}`];
  const facts = [formatBytes(file.sizeBytes), `IR ${file.irVersion}`, ...opsets, ...producer];
  const types = Object.entries(description.parametersByDtype).map(([dtype]) => dtype);
  const parameters = `${plural(description.parameterCount, 'parameter')} (${formatBytes(description.parameterBytes)}${types.length > 0 ? `, ${types.join(' and ')}` : ''})`;
  const shown = Object.entries(file.metadata).filter(([key]) => key !== recordKey);
  const metadata = shown.map(([key, value]) =>
    dim(`${key}: ${value.length > 100 ? `${value.slice(0, 100)}…` : value}`),
  );
  return [
    `${bold(file.path)}  ${facts.join(' · ')}`,
    `${description.name}: ${parameters}, ${plural(description.nodeCount, 'node')}`,
    ...metadata,
  ].join('\n');
}

function renderSignature({ inputs, outputs }: ModelDescription): string {
  const row = (what: string, { name, dtype, shape }: TypeDescription, index: number): string[] => [
    index === 0 ? bold(what) : '',
    name,
    `${dtype} ${formatExtents(shape)}`,
  ];
  const rows = [
    ...inputs.map((each, at) => row('inputs', each, at)),
    ...outputs.map((each, at) => row('outputs', each, at)),
  ];
  return renderTable([{ heading: '' }, { heading: '' }, { heading: '' }], rows);
}

function renderOps({ ops }: ModelDescription): string {
  const rows = ops.map(({ op, domain, count, known }) => [
    domain === '' ? op : `${domain}:${op}`,
    formatCount(count),
    known ? '' : 'not known to Modelwright',
  ]);
  return renderTable([{ heading: '' }, { heading: '', align: 'right' }, { heading: '' }], rows);
}

function renderLayers(model: Model): string {
  const counts = new Map(model.parameters.map(({ name, value }) => [name, value.shape]));
  const rows = model.layers.map(({ name, kind, outputShape, parameters }) => {
    const total = parameters.reduce((sum, parameter) => sum + elements(counts.get(parameter)), 0);
    return [name, kind, formatExtents(outputShape), total === 0 ? '' : formatCount(total)];
  });
  return renderTable(
    [{ heading: 'name' }, { heading: 'kind' }, { heading: 'output' }, { heading: 'parameters', align: 'right' }],
    rows,
  );
}

function elements(shape: readonly (number | string)[] | undefined): number {
  return (shape ?? [0]).reduce<number>((product, extent) => product * Number(extent), 1);
}

function renderWeights(model: Model): string {
  const rows = describeWeights(model).map(({ name, dtype, shape, sizeBytes }) => [
    name,
    `${dtype} ${formatExtents(shape)}`,
    formatBytes(sizeBytes),
  ]);
  return renderTable([{ heading: '' }, { heading: '' }, { heading: '', align: 'right' }], rows);
}

function describeWeights(model: Model): readonly (TypeDescription & { readonly sizeBytes: number })[] {
  return parametersOf(model.graph).map(({ name, tensor }) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    sizeBytes: sizeBytesOf(tensor),
  }));
}

function renderNodes(model: Model): string {
  const rows = describeNodes(model).map(({ op, name, inputs, outputs }) => [
    op,
    name,
    inputs.join(', '),
    outputs.map(({ name: output, dtype, shape }) => `${output}: ${dtype} ${formatExtents(shape)}`).join(', '),
  ]);
  return renderTable([{ heading: 'op' }, { heading: 'name' }, { heading: 'inputs' }, { heading: 'outputs' }], rows);
}

function describeNodes(model: Model): readonly {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly TypeDescription[];
}[] {
  return allNodes(model.graph).map(({ op, domain, name, inputs, outputs }) => ({
    op: domain === '' ? op : `${domain}:${op}`,
    name,
    inputs: inputs.map((input) => input?.name ?? ''),
    outputs: outputs.map(({ name: output, dtype, shape }) => ({ name: output, dtype, shape })),
  }));
}

function renderBackends(backends: readonly BackendReport[]): string {
  const rows = backends.map(({ backend, available, runs, reasons }) => [
    backend,
    runs ? 'runs it' : available ? 'cannot run it' : 'not available',
    reasons.slice(0, 3).join('; ') + (reasons.length > 3 ? `; and ${reasons.length - 3} more` : ''),
  ]);
  return renderTable([{ heading: '' }, { heading: '' }, { heading: '' }], rows);
}

function section(title: string, body: string): string {
  return `${bold(title)}\n${indent(body)}`;
}
