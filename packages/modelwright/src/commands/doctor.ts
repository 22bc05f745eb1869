import { arch, cpus, platform, release, totalmem } from 'node:os';
import type { Command } from 'commander';
import { type BackendConfiguration, parseBackendConfiguration } from '../backend/backend-configuration.js';
import { loadConfiguration } from '../backend/configuration-file.js';
import { chooseBackend } from '../backend/load-backend.js';
import { formatBytes, formatMilliseconds } from '../cli/format.js';
import { collectNames } from '../cli/option-values.js';
import { bold, type CommandResult, type OutputOptions, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';
import { nameOf, usualBackends } from '../model/choose-backend.js';
import { type InstalledVersion, installedVersions } from '../model/installed-versions.js';
import { type BackendHealth, probeBackend } from '../model/probe-backend.js';

interface DoctorOptions extends OutputOptions {
  readonly backend?: readonly string[];
}

const examples = `
Examples:
  $ modelwright doctor
  $ modelwright doctor --backend onnxruntime:cuda          why does this one not work?
  $ modelwright doctor --json

Every backend computes one small program and its answer is checked. Exits with 4 if the backend that your configuration
asks for, or one named by --backend, does not work.`;

/** `modelwright doctor`: what works on this machine. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('show which backends work on this machine, and what to install for those that do not')
    .option(
      '-b, --backend <names>',
      'backends to try, with commas between (default: all that come along, with their devices)',
      collectNames,
    )
    .option('--json', 'print everything as JSON')
    .addHelpText('after', examples)
    .action((options: DoctorOptions) => runCommand(options, () => doctor(options)));
}

async function doctor(options: DoctorOptions): Promise<CommandResult> {
  const chosen = await chooseBackend();
  const chosenName = nameOf(chosen.configuration);
  const asked = options.backend?.map((name) => parseBackendConfiguration(name, '--backend'));
  const backends: BackendHealth[] = [];
  for (const each of asked ?? (await backendsToTry())) backends.push(await probeBackend(each));
  const configurationFile = (await loadConfiguration())?.file;
  const data = {
    machine: machineFacts(),
    versions: await installedVersions(),
    configuration: {
      backend: chosenName,
      source: chosen.source,
      ...(configurationFile ? { file: configurationFile } : {}),
    },
    backends,
  };
  const wanted = options.backend ? backends : backends.filter((backend) => backend.asked === chosenName);
  return { data, text: () => render(data), exitCode: wanted.every(({ works }) => works) ? 0 : 4 };
}

/** Devices that a backend takes only when asked to, and that may be there. */
const furtherDevices: readonly BackendConfiguration[] = [
  { name: 'onnxruntime', device: 'webgpu' },
  { name: 'onnxruntime', device: 'wasm' },
];

async function backendsToTry(): Promise<readonly BackendConfiguration[]> {
  const usual = await usualBackends();
  const names = new Set(usual.map(nameOf));
  return [...usual, ...furtherDevices.filter((each) => !names.has(nameOf(each)))];
}

interface DoctorReport {
  readonly machine: MachineFacts;
  readonly versions: readonly InstalledVersion[];
  readonly configuration: { readonly backend: string; readonly source: string; readonly file?: string };
  readonly backends: readonly BackendHealth[];
}

interface MachineFacts {
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly processorCount: number;
  readonly memoryBytes: number;
}

function machineFacts(): MachineFacts {
  const all = cpus();
  return {
    node: process.versions.node,
    platform: `${platform()}-${arch()} ${release()}`,
    processor: all[0]?.model.trim() ?? 'unknown',
    processorCount: all.length,
    memoryBytes: totalmem(),
  };
}

function render({ machine, versions, configuration, backends }: DoctorReport): string {
  const sources: { readonly [source: string]: string } = {
    argument: '',
    environment: 'from MODELWRIGHT_BACKEND',
    'configuration-file': `from ${configuration.file}`,
    default: 'the default; nothing configured',
  };
  const facts = [
    ['node', machine.node],
    ['platform', machine.platform],
    ['processor', `${machine.processorCount} × ${machine.processor}`],
    ['memory', formatBytes(machine.memoryBytes)],
    ['backend', `${configuration.backend} (${sources[configuration.source]})`],
  ];
  const columns = [{ heading: '' }, { heading: '' }, { heading: '' }];
  const versionRows = versions.map(({ name, version }) => [name, version ?? 'not installed']);
  return [
    `${bold('machine')}\n${indent(renderTable(columns, facts))}`,
    `${bold('versions')}\n${indent(renderTable(columns, versionRows))}`,
    `${bold('backends')}\n${indent(renderTable(columns, backends.flatMap(renderBackend)))}`,
  ].join('\n\n');
}

function renderBackend(health: BackendHealth): readonly string[][] {
  if (health.works) {
    const facts = [`${health.opCount} ops`, `${health.threads} thread${health.threads === 1 ? '' : 's'}`];
    if (health.detail) facts.unshift(health.detail);
    return [
      [health.backend, 'works', `${facts.join(', ')}; a small program in ${formatMilliseconds(health.milliseconds)}`],
    ];
  }
  const lines = [[health.asked, 'does not work', health.error.message]];
  return health.error.hint ? [...lines, ['', '', `→ ${health.error.hint}`]] : lines;
}
