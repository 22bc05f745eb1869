import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Backend, Model } from '@modelwright/core';
import { ModelwrightError } from '@modelwright/core';
import { writeOnnxFile } from '@modelwright/onnx/file';
import { type OptimizationProgress, type OptimizationReport, optimize } from '@modelwright/optimization';
import { writeFileAtomically } from '@modelwright/training/node';
import { type Command, InvalidArgumentError } from 'commander';
import { loadBackend } from '../backend/load-backend.js';
import { formatMilliseconds } from '../cli/format.js';
import { collectNamedFile, collectNames, type NamedFile, parseCount, parsePositive } from '../cli/option-values.js';
import { type CommandResult, note, type OutputOptions, runCommand } from '../cli/output.js';
import { reasonOf } from '../files/tensor-files.js';
import { backendForCommand } from '../model/choose-backend.js';
import { judgeFrom } from '../model/judge-model.js';
import { measureMemory } from '../model/measure-memory.js';
import { openGraph } from '../model/open-model.js';
import { readSamples } from '../model/read-samples.js';
import { quantizations, type StepOptions, stepsFrom } from '../optimization/steps-from-options.js';

interface OptimizeCommandOptions extends OutputOptions, StepOptions {
  readonly output?: string;
  readonly html?: string;
  readonly calibrate?: readonly NamedFile[];
  readonly evaluate?: string;
  readonly maxLoss?: number;
  readonly backend?: readonly string[];
  readonly batch: number;
  readonly seconds: number;
  readonly measure: boolean;
  readonly memory?: boolean;
}

const examples = `
Examples:
  $ modelwright optimize net.onnx -o tidy.onnx                                        folds and tidies the graph only
  $ modelwright optimize net.onnx --quantize static --calibrate samples.npz --evaluate test.npz -o small.onnx
  $ modelwright optimize net.onnx --quantize dynamic --evaluate eval.ts --max-loss 0.005 -o small.onnx
  $ modelwright optimize net.onnx --prune-channels 0.5 --fine-tune train.ts --quantize static --calibrate samples.npz \\
      --evaluate eval.ts -o small.onnx --html report.html

--evaluate: a module whose default export judges a model, larger is better:
    export default async (model, { backend }) => ({ value: 0.98, count: 10000 });     a number alone will do
  or an archive (.npz) with the inputs by name and 'labels': the share of right answers.
--fine-tune: a module whose default export trains the model it is given, in place:
    export default async (model, { backend, extensions }) => { … createTrainer(model, { backend, extensions, … }) … };
--calibrate: .npz with the inputs by name, [examples, …]; or .npy, .json, .png as for \`modelwright run --input\`.

Steps run in this order: channels, weights, fine-tuning, tidying the graph, clusters, quantization. The report is kept in
the file: \`modelwright inspect\` shows it. Exits with 1 if more than --max-loss is lost; the files are written all the same.`;

/** `modelwright optimize FILE`: a smaller and faster model, and what that cost and gained. */
export function addOptimizeCommand(program: Command): void {
  program
    .command('optimize')
    .description('make a model smaller and faster, and show what it cost and gained')
    .argument('<file>', 'the model, an .onnx file')
    .option('-o, --output <path>', 'where the optimized model goes; without it there is the report only')
    .option('--prune-channels <ratio>', 'take this share of the channels out of every layer that allows it', parseRatio)
    .option('--prune-weights <ratio>', 'make this share of the weights zero', parseRatio)
    .option('--fine-tune <module>', 'trains the pruned model: .ts, .mts, .js or .mjs')
    .option('--cluster <count>', 'let weights share so many values in each layer', parseCount)
    .option('--quantize <mode>', quantizations.join(', '), parseQuantization)
    .option('-c, --calibrate <[name=]path>', 'typical inputs, as many files as there are', collectNamedFile)
    .option('-e, --evaluate <file>', 'what judges the model: a module, or an archive with labels')
    .option('--max-loss <number>', 'by how much what --evaluate gives may fall', parsePositive)
    .option('--no-tidy', 'leave the graph as it is')
    .option('-b, --backend <names>', 'where it is run and measured; further names are measured as well', collectNames)
    .option('--batch <count>', 'examples at once for throughput', parseCount, 64)
    .option('--seconds <number>', 'how long to measure each model', parsePositive, 1)
    .option('--memory', 'measure peak memory, too, in processes of their own')
    .option('--no-measure', 'run nothing for the report')
    .option('--html <path>', 'write the report as a page of its own')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', examples)
    .action((file: string, options: OptimizeCommandOptions) => runCommand(options, () => run(file, options)));
}

function parseRatio(value: string): number {
  const ratio = parsePositive(value);
  if (ratio >= 1) throw new InvalidArgumentError('write a share between 0 and 1: 0.5 is half.');
  return ratio;
}

function parseQuantization(value: string): string {
  if (!quantizations.includes(value as never)) throw new InvalidArgumentError(`one of ${quantizations.join(', ')}.`);
  return value;
}

async function run(file: string, options: OptimizeCommandOptions): Promise<CommandResult> {
  for (const path of [options.output, options.html]) if (path !== undefined) await requireFolder(path);
  const model = await openGraph(file);
  const backends = await openBackends(options.backend);
  try {
    const { model: small, report, seconds } = await optimizeOn(model, backends, options);
    const written = await writeResults(small, report, options);
    const loss = lossOf(report);
    const tooMuch = options.maxLoss !== undefined && loss !== undefined && loss > options.maxLoss;
    const verdict = tooMuch ? [`lost ${loss.toPrecision(3)}, more than the ${options.maxLoss} of --max-loss`] : [];
    return {
      data: { ...report.toJSON(), ...(loss === undefined ? {} : { loss }), files: written, seconds },
      text: () =>
        [
          report.toString(),
          '',
          ...written.map((path) => `wrote ${path}`),
          ...verdict,
          formatMilliseconds(seconds * 1000),
        ].join('\n'),
      exitCode: tooMuch ? 1 : 0,
    };
  } finally {
    for (const backend of backends) await backend.dispose();
  }
}

async function optimizeOn(
  model: Model,
  [backend, ...others]: readonly [Backend, ...Backend[]],
  options: OptimizeCommandOptions,
): Promise<{ readonly model: Model; readonly report: OptimizationReport; readonly seconds: number }> {
  const { calibrate, evaluate, measure, batch, seconds } = options;
  const samples = calibrate === undefined ? undefined : await readSamples(model, calibrate, '--calibrate');
  samples?.notes.forEach(note);
  const judge = evaluate === undefined ? undefined : await judgeFrom(evaluate, model, backend);
  const steps = await stepsFrom(options);
  const started = performance.now();
  const result = await optimize(model, {
    backend,
    steps,
    measure: measure
      ? { batch, seconds, backends: others, ...(options.memory ? { memory: measureMemory } : {}) }
      : false,
    progress: progressNotes(),
    ...(samples === undefined ? {} : { calibration: samples.inputs }),
    ...(judge === undefined ? {} : { evaluate: judge }),
  });
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

async function openBackends(names: readonly string[] | undefined): Promise<readonly [Backend, ...Backend[]]> {
  const [first, ...others] = names ?? [];
  const { backend, notes } = await backendForCommand(first);
  notes.forEach(note);
  const opened: [Backend, ...Backend[]] = [backend];
  try {
    for (const name of others) opened.push(await loadBackend(name));
  } catch (error) {
    for (const each of opened) await each.dispose();
    throw error;
  }
  return opened;
}

/** One line when a step begins. */
function progressNotes(): (progress: OptimizationProgress) => void {
  let last = '';
  return ({ step, index, steps, phase, what = '' }) => {
    const lines: { readonly [phase: string]: string } = {
      check: what,
      apply: `${index}/${steps} ${step}`,
      measure: `measuring on ${what}`,
    };
    const line = lines[phase] ?? last;
    if (line !== last) note(line);
    last = line;
  };
}

async function writeResults(
  model: Model,
  report: OptimizationReport,
  { output, html }: OptimizeCommandOptions,
): Promise<readonly string[]> {
  const written = output === undefined ? [] : [...(await writeOnnxFile(model, output))];
  if (html !== undefined) {
    await writeFileAtomically(html, report.toHTML());
    written.push(html);
  }
  return written;
}

/** What the last stage lost of the first one's measure. */
function lossOf(report: OptimizationReport): number | undefined {
  const { stages } = report.record;
  const [first, last] = [stages[0]?.quality?.value, stages.at(-1)?.quality?.value];
  return first === undefined || last === undefined ? undefined : first - last;
}

/** Optimizing may take long: that its result has no place to go to is said first. */
async function requireFolder(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new ModelwrightError('file-unwritable', `cannot write '${path}': ${reasonOf(cause)}`, { file: path, cause });
  }
}
