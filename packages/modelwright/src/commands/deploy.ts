import { readFile } from 'node:fs/promises';
import { type Deployment, deploy, targetNamed, targets } from '@modelwright/deployment/node';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { formatBytes } from '../cli/format.js';
import { collectExtent, collectNamedFile, type NamedFile } from '../cli/option-values.js';
import { bold, type CommandResult, note, type OutputOptions, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';
import { goldenFrom } from '../deployment/golden-from-options.js';
import { type ProcessingOptions, processingFrom } from '../deployment/processing-from-options.js';
import { backendForCommand } from '../model/choose-backend.js';
import { openGraph } from '../model/open-model.js';
import type { Extents } from '../model/random-inputs.js';

interface DeployCommandOptions extends OutputOptions, ProcessingOptions {
  readonly target: string;
  readonly output?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly modelVersion?: string;
  readonly licence?: string;
  readonly description?: string;
  readonly card?: string;
  readonly golden?: readonly NamedFile[];
  readonly dim?: Extents;
  readonly backend?: string;
}

const examples = `
Examples:
  $ modelwright deploy digits.onnx --target onnx -o digits-onnx
  $ modelwright deploy digits.onnx --target web --image invert --labels 0,1,2,3,4,5,6,7,8,9
  $ modelwright deploy mood.onnx --target node-service --tokenizer tokenizer.json --labels negative,positive
  $ modelwright deploy digits.onnx --target onnx --set opset=17 --set external-data
  $ modelwright deploy digits.onnx --target triton --golden test.npz --licence Apache-2.0

The bundle holds the model, what turns pictures and sentences into its inputs, a model card, a manifest with the hash of every
file, and golden inputs with the answers that --backend gave: \`modelwright verify\` and every loader of a bundle run them. Without
--golden the inputs are made up; real ones (.npz with the inputs by name, .npy, .json, .png) prove more.`;

/** `modelwright deploy FILE --target NAME`: a model becomes a thing that runs somewhere. */
export function addDeployCommand(program: Command): void {
  program
    .command('deploy')
    .description('make a bundle of a model for a place to run it, with a proof that it answers the same there')
    .argument('<file>', 'the model, an .onnx file')
    .requiredOption('-t, --target <name>', targets.map(({ name }) => name).join(', '))
    .option('-o, --output <folder>', 'where the bundle goes (default <name>-<target>)')
    .option('-s, --set <name=value>', 'an option of the target, see below', collectSetting)
    .option('--name <name>', 'name of the model (default that of the file)')
    .option('--model-version <number>', 'version of the model, a whole number (default 1)')
    .option('--licence <id>', 'SPDX identifier of its licence')
    .option('--description <text>', 'what it does')
    .option('--card <file>', 'text for the model card, Markdown')
    .option('--processing <file>', 'what stands before and behind the model, JSON')
    .option('--image [words]', 'its input is a picture: invert, contain, cover, nearest, with commas between')
    .option('--labels <labels>', 'labels of its scores: with commas between, or a file with one a line or a JSON list')
    .option('--tokenizer <file>', 'its input is text: a tokenizer.json')
    .option('--max-length <count>', 'longest text, in tokens')
    .option('--generates', 'it continues texts: its output scores the next token')
    .option('--embeds', 'its output is a vector a text or picture')
    .option('-g, --golden <[name=]path>', 'inputs for the proof, as many files as there are', collectNamedFile)
    .option('--dim <symbol=number>', 'an extent that the model leaves open, for the proof', collectExtent)
    .option('-b, --backend <name>', 'what gives the answers of the proof')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', `\n${targetHelp()}\n${examples}`)
    .action((file: string, options: DeployCommandOptions) => runCommand(options, () => run(file, options)));
}

function targetHelp(): string {
  const rows = targets.flatMap(({ name, description, options }) => [
    [name, description],
    ...Object.entries(options).map(([option, meaning]) => [`  --set ${option}=…`, meaning]),
  ]);
  return `Targets and their options:\n${indent(renderTable([{ heading: '' }, { heading: '' }], rows))}`;
}

/** Reads `name=value`, or a name alone for yes. */
function collectSetting(
  value: string,
  previous: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, name, given = 'true'] = /^([a-z][a-z-]*)(?:=(.*))?$/is.exec(value) ?? [];
  if (name === undefined) throw new InvalidArgumentError("write 'name=value', as in 'opset=17'.");
  return { ...previous, [name]: given };
}

async function run(file: string, options: DeployCommandOptions): Promise<CommandResult> {
  const target = targetNamed(options.target);
  const model = await openGraph(file);
  const given = await processingFrom(model, options);
  const { golden, notes } = await goldenFrom(model, options, given);
  [...given.notes, ...notes].forEach(note);
  const card = options.card === undefined ? undefined : await readFile(options.card, 'utf8');
  const chosen = await backendForCommand(options.backend);
  chosen.notes.forEach(note);
  try {
    const deployment = await deploy(model, {
      target,
      backend: chosen.backend,
      name: options.name ?? nameOfFile(file),
      golden,
      report: note,
      tokenizers: given.tokenizers,
      ...(given.processing === undefined ? {} : { processing: given.processing }),
      ...(options.set === undefined ? {} : { options: options.set }),
      ...(options.modelVersion === undefined ? {} : { version: options.modelVersion }),
      ...(options.licence === undefined ? {} : { licence: options.licence }),
      ...(options.description === undefined ? {} : { description: options.description }),
      ...(card === undefined ? {} : { card }),
    });
    const { name } = deployment.manifest;
    const folder = options.output ?? target.folder?.(name) ?? `${name}-${target.name}`;
    await deployment.write(folder);
    return resultOf(folder, deployment);
  } finally {
    await chosen.backend.dispose();
  }
}

const nameOfFile = (file: string): string => (file.split(/[/\\]/).at(-1) ?? file).replace(/\.onnx$/i, '');

function resultOf(folder: string, { manifest, files, target }: Deployment): CommandResult {
  const rows = manifest.files.map(({ path, sizeBytes }) => [path, formatBytes(sizeBytes)]);
  const next = target.nextSteps(folder, manifest);
  return {
    data: { folder, manifest, files: files.map(({ path }) => path), nextSteps: next },
    text: () =>
      [
        `${bold(folder)}  ${manifest.name} ${manifest.version} for ${manifest.target}; its proof: ${manifest.golden.madeWith}`,
        indent(renderTable([{ heading: '' }, { heading: '', align: 'right' }], rows)),
        ...(next.length > 0 ? [`${bold('next')}\n${indent(next.join('\n'))}`] : []),
      ].join('\n\n'),
  };
}
