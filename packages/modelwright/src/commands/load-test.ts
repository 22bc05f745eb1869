import type { Command } from 'commander';
import { formatCount, formatMilliseconds, plural } from '../cli/format.js';
import { parseCount, parsePositive } from '../cli/option-values.js';
import { type CommandResult, type OutputOptions, runCommand } from '../cli/output.js';
import { renderTable } from '../cli/table.js';
import { type LoadResult, putLoad } from '../load-test/put-load.js';
import { prepareRequest } from '../load-test/request.js';

interface LoadTestOptions extends OutputOptions {
  readonly model: string;
  readonly version?: string;
  readonly connections: number;
  readonly seconds: number;
  readonly requests?: number;
  readonly rate?: number;
  readonly batch: number;
  readonly extent: number;
  readonly key?: string;
  readonly timeout: number;
  readonly maxP99?: number;
}

const examples = `
Examples:
  $ modelwright load-test http://127.0.0.1:8000 --model digits
  $ modelwright load-test http://127.0.0.1:8000 --model digits --connections 64 --requests 200000
  $ modelwright load-test https://models.example --model digits --rate 500 --seconds 60 --max-p99 50
  $ MODELWRIGHT_KEY=mw_… modelwright load-test http://127.0.0.1:8000 --model digits --json

Inputs are random, sent as binary tensors of the Open Inference Protocol. With --rate requests are due at fixed times and latency counts
from then, so that a server that falls behind shows it. Exits with 1 if a request failed, or if --max-p99 was not kept.`;

/** `modelwright load-test URL`: how much a server bears. */
export function addLoadTestCommand(program: Command): void {
  program
    .command('load-test')
    .description('put load on a server of models, and measure latency and throughput')
    .argument('<url>', 'the server, as `modelwright serve` prints it')
    .requiredOption('-m, --model <name>', 'the model to ask')
    .option('--model-version <version>', 'a version of it (default: the one that the server chooses)')
    .option('-c, --connections <count>', 'connections that ask at once', parseCount, 16)
    .option('--seconds <number>', 'how long', parsePositive, 10)
    .option('--requests <count>', 'how many at most', parseCount)
    .option('--rate <number>', 'requests a second (default: as fast as answers come)', parsePositive)
    .option('--batch <count>', 'examples in a request, where the model has a batch axis', parseCount, 1)
    .option('--extent <count>', 'extent of other axes that the model leaves open', parseCount, 8)
    .option('--key <key>', 'API key; better in the variable MODELWRIGHT_KEY')
    .option('--timeout <seconds>', 'how long to wait for an answer', parsePositive, 30)
    .option('--max-p99 <milliseconds>', 'fail if the 99th percentile of latency is above', parsePositive)
    .option('--json', 'print all numbers as JSON')
    .addHelpText('after', examples)
    .action((url: string, { modelVersion, ...options }: LoadTestOptions & { readonly modelVersion?: string }) =>
      runCommand(options, () =>
        loadTest(url, { ...options, ...(modelVersion === undefined ? {} : { version: modelVersion }) }),
      ),
    );
}

async function loadTest(server: string, options: LoadTestOptions): Promise<CommandResult> {
  const { model, version, batch, extent, key = process.env['MODELWRIGHT_KEY'] } = options;
  const request = await prepareRequest({
    ...{ server, model, batch, extent },
    ...(version === undefined ? {} : { version }),
    ...(key === undefined ? {} : { key }),
  });
  const { connections, seconds, requests, rate, timeout } = options;
  const result = await putLoad(request, {
    ...{ connections, seconds, timeoutMilliseconds: timeout * 1000 },
    ...(requests === undefined ? {} : { requests }),
    ...(rate === undefined ? {} : { rate }),
  });
  const summary = summarize(result, batch);
  const isTooSlow = options.maxP99 !== undefined && !(summary.latencyMilliseconds.p99 <= options.maxP99);
  const exitCode = summary.failed > 0 || summary.answered === 0 || isTooSlow ? 1 : 0;
  return { data: { server, model, connections, batch, ...summary }, text: () => render(summary, options), exitCode };
}

interface Summary {
  readonly seconds: number;
  readonly answered: number;
  readonly failed: number;
  readonly requestsPerSecond: number;
  readonly examplesPerSecond: number;
  readonly latencyMilliseconds: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;
  /** Answers other than 200 and requests without an answer, by what it was. */
  readonly failures: Readonly<Record<string, number>>;
}

function summarize({ seconds, latencies, statuses, failures }: LoadResult, batch: number): Summary {
  const sorted = latencies.sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  const bad = [...statuses].filter(([status]) => status !== 200).map(([status, count]) => [`HTTP ${status}`, count]);
  const all = Object.fromEntries([...bad, ...failures]) as Readonly<Record<string, number>>;
  return {
    seconds,
    answered: latencies.length,
    failed: Object.values(all).reduce((sum, count) => sum + count, 0),
    requestsPerSecond: latencies.length / seconds,
    examplesPerSecond: (latencies.length * batch) / seconds,
    latencyMilliseconds: { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) },
    failures: all,
  };
}

function render(summary: Summary, { batch, maxP99 }: LoadTestOptions): string {
  const { seconds, answered, failed, latencyMilliseconds } = summary;
  const rates = [`${formatCount(Math.round(summary.requestsPerSecond))} requests/s`];
  if (batch > 1) rates.push(`${formatCount(Math.round(summary.examplesPerSecond))} examples/s`);
  const columns = Object.keys(latencyMilliseconds).map((name) => ({
    heading: name === 'p999' ? 'p99.9' : name,
    align: 'right' as const,
  }));
  const cells = Object.values(latencyMilliseconds).map((value) =>
    Number.isNaN(value) ? '–' : formatMilliseconds(value),
  );
  const lines = [
    `${plural(answered, 'answer')} in ${seconds.toFixed(1)} s: ${rates.join(', ')}`,
    renderTable(columns, [cells]),
  ];
  if (failed > 0) {
    const reasons = Object.entries(summary.failures).map(([reason, count]) => `${formatCount(count)} × ${reason}`);
    lines.push(`${plural(failed, 'request')} failed: ${reasons.join(', ')}`);
  }
  if (maxP99 !== undefined && latencyMilliseconds.p99 > maxP99)
    lines.push(`the 99th percentile is above ${formatMilliseconds(maxP99)}`);
  return lines.join('\n');
}
