import { performance } from 'node:perf_hooks';
import { createPredictor, isModelwrightError, type Model, type Predictor, type TensorMap } from '@modelwright/core';
import type { Command } from 'commander';
import { loadBackend } from '../backend/load-backend.js';
import { formatMilliseconds } from '../cli/format.js';
import { collectExtent, collectNames, parseCount, parsePositive } from '../cli/option-values.js';
import { type CommandResult, dim, note, type OutputOptions, runCommand } from '../cli/output.js';
import { renderTable } from '../cli/table.js';
import { backendForCommand, labelOf } from '../model/choose-backend.js';
import { type Measurement, measure } from '../model/measure.js';
import { openGraph } from '../model/open-model.js';
import { bindShape, type Extents, randomInputs } from '../model/random-inputs.js';

interface BenchOptions extends OutputOptions {
  readonly backend?: readonly string[];
  readonly batch?: number;
  readonly dim?: Extents;
  readonly seconds: number;
  readonly concurrency: number;
}

interface BenchResult {
  readonly backend: string;
  /** Samples of the first axis a run. */
  readonly batch: number;
  readonly compileMilliseconds: number;
  readonly firstRunMilliseconds: number;
  readonly latency: Measurement;
  readonly samplesPerSecond: number;
}

interface FailedBench {
  readonly backend: string;
  readonly error: { readonly code: string; readonly message: string };
}

const examples = `
Examples:
  $ modelwright bench digits.onnx
  $ modelwright bench digits.onnx --batch 64
  $ modelwright bench digits.onnx --backend onnxruntime,reference           side by side, in one run
  $ modelwright bench bert.onnx --dim sequence=128 --seconds 10 --json
  $ modelwright bench digits.onnx --concurrency 4                           four runs at a time

Inputs are random. Latency is from call to result; medians are over all runs after one second of warm-up at most.
Exits with 4 if no backend could run the model.`;

/** `modelwright bench FILE`: latency and throughput of a model on each backend. */
export function addBenchCommand(program: Command): void {
  program
    .command('bench')
    .description('measure latency and throughput of a model on backends')
    .argument('<file>', 'the model, an .onnx file')
    .option(
      '-b, --backend <names>',
      'backends, with commas between (default: the one that `run` would use)',
      collectNames,
    )
    .option('--batch <count>', 'extent of the first axis, where the model leaves it open (default: 1)', parseCount)
    .option('--dim <symbol=number>', 'another extent that the model leaves open', collectExtent)
    .option('--seconds <number>', 'how long to measure each backend', parsePositive, 3)
    .option('--concurrency <count>', 'how many runs at a time', parseCount, 1)
    .option('--json', 'print all numbers as JSON')
    .addHelpText('after', examples)
    .action((file: string, options: BenchOptions) => runCommand(options, () => bench(file, options)));
}

async function bench(file: string, options: BenchOptions): Promise<CommandResult> {
  const model = await openGraph(file);
  const extents = { ...batchExtents(model, options.batch), ...options.dim };
  const inputs = randomInputs(model.graph.inputs, extents);
  const results: (BenchResult | FailedBench)[] = [];
  for (const name of options.backend ?? [undefined]) {
    results.push(await benchBackend(model, { name, inputs, extents, options }));
  }
  const failed = results.every((result) => 'error' in result);
  return { data: { model: model.name, results }, text: () => render(results), exitCode: failed ? 4 : 0 };
}

/** The open first axes of all inputs are the batch. */
function batchExtents(model: Model, batch: number | undefined): Extents {
  const symbols = model.graph.inputs.flatMap(({ shape: [first] }) => (typeof first === 'string' ? [first] : []));
  return Object.fromEntries(symbols.map((symbol) => [symbol, batch ?? 1]));
}

async function benchBackend(
  model: Model,
  given: { name: string | undefined; inputs: TensorMap; extents: Extents; options: BenchOptions },
): Promise<BenchResult | FailedBench> {
  try {
    const { backend, notes } =
      given.name === undefined
        ? await backendForCommand(undefined)
        : { backend: await loadBackend(given.name), notes: [] };
    notes.forEach(note);
    try {
      const started = performance.now();
      const predictor = await createPredictor(model, backend);
      const compileMilliseconds = performance.now() - started;
      return { backend: labelOf(backend), compileMilliseconds, ...(await benchPredictor(predictor, given)) };
    } finally {
      await backend.dispose();
    }
  } catch (error) {
    if (!isModelwrightError(error) || given.name === undefined) throw error;
    return { backend: given.name, error: { code: error.code, message: error.message } };
  }
}

async function benchPredictor(
  predictor: Predictor,
  { inputs, extents, options }: { inputs: TensorMap; extents: Extents; options: BenchOptions },
): Promise<Omit<BenchResult, 'backend' | 'compileMilliseconds'>> {
  const [first] = predictor.model.graph.inputs;
  const batch = first === undefined ? 1 : (bindShape(first.name, first.shape, extents)[0] ?? 1);
  const started = performance.now();
  await predictor.predict(inputs);
  const firstRunMilliseconds = performance.now() - started;
  const { seconds, concurrency } = options;
  const latency = await measure(() => predictor.predict(inputs), { seconds, concurrency });
  return { batch, firstRunMilliseconds, latency, samplesPerSecond: latency.runsPerSecond * batch };
}

function render(results: readonly (BenchResult | FailedBench)[]): string {
  const measured = results.filter((result): result is BenchResult => !('error' in result));
  const failed = results.filter((result): result is FailedBench => 'error' in result);
  const lines = failed.map(({ backend, error }) => `${backend}: ${error.message}`);
  const [first] = measured;
  if (first === undefined) return lines.join('\n');
  const caption = dim(`batch ${first.batch}, ${first.latency.runCount} runs`);
  return [renderMeasured(measured), caption, ...lines].join('\n');
}

function renderMeasured(results: readonly BenchResult[]): string {
  const fastest = Math.max(...results.map(({ samplesPerSecond }) => samplesPerSecond));
  const rows = results.map(({ backend, latency, samplesPerSecond, compileMilliseconds, firstRunMilliseconds }) => [
    backend,
    formatMilliseconds(latency.medianMilliseconds),
    formatMilliseconds(latency.p95Milliseconds),
    `${Number(samplesPerSecond.toPrecision(3)).toLocaleString('en-US')}/s`,
    samplesPerSecond === fastest ? '1×' : `${(samplesPerSecond / fastest).toPrecision(2)}×`,
    formatMilliseconds(compileMilliseconds),
    formatMilliseconds(firstRunMilliseconds),
  ]);
  const headings = ['median', '95 %', 'samples', 'relative', 'compile', 'first run'];
  const columns = headings.map((heading) => ({ heading, align: 'right' }) as const);
  return renderTable([{ heading: 'backend' }, ...columns], rows);
}
