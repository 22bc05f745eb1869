/**
 * What dynamic batching gives: requests a second on a digit CNN with it and without it, from many connections, in turns on one
 * server. The small one of the quickstart takes so little time that most of a request is HTTP; the large one is that of the first
 * tutorials of Keras and PyTorch.
 *
 * usage: throughput [--network large] [--connections 64] [--seconds 5] [--rounds 3] [--form binary] [--client wrk|autocannon] [--out throughput.local.json]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { quantile } from '../measurement.js';
import { formatColumns } from '../table.js';
import { digitRequest, type RequestForm } from './digit-request.js';
import { failuresOf, putLoad } from './load.js';
import { startServer } from './start-server.js';
import { hasWrk, putLoadByWrk } from './wrk.js';

/** What batching has to give at least. */
const leastGain = 2;

const { values } = parseArgs({
  options: {
    network: { type: 'string', default: 'large' },
    connections: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    form: { type: 'string', default: 'binary' },
    client: { type: 'string', default: hasWrk() ? 'wrk' : 'autocannon' },
    out: { type: 'string' },
  },
});
const models = { batched: { maxBatchSize: 32 }, unbatched: { maxBatchSize: 1 } };
const server = await startServer({ models, network: values.network as 'small' | 'large' });
const metadata = (await (await fetch(`${server.url}/v2/models/batched`)).json()) as { inputs: [{ name: string }] };
const request = digitRequest(values.form as RequestForm, metadata.inputs[0].name);

interface Round {
  readonly model: string;
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
  readonly processorMilliseconds: number;
  readonly meanBatch: number;
}

async function measure(model: string, seconds: number): Promise<Round> {
  const before = await server.usage();
  const batchesBefore = await counts(model);
  const result = await (values.client === 'wrk' ? putLoadByWrk : putLoad)({
    url: `${server.url}/v2/models/${model}/infer`,
    connections: Number(values.connections),
    duration: seconds,
    ...request,
  });
  const after = await server.usage();
  const batchesAfter = await counts(model);
  const { total } = result.requests;
  const cpu = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  return {
    model,
    requestsPerSecond: total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failures: failuresOf(result),
    processorMilliseconds: cpu / 1000 / total,
    meanBatch:
      (batchesAfter.inferences - batchesBefore.inferences) / (batchesAfter.executions - batchesBefore.executions),
  };
}

async function counts(model: string): Promise<{ readonly inferences: number; readonly executions: number }> {
  const answer = await fetch(`${server.url}/v2/models/${model}/stats`);
  const { model_stats } = (await answer.json()) as {
    model_stats: [{ inference_count: number | string; execution_count: number | string }];
  };
  const [{ inference_count, execution_count }] = model_stats;
  return { inferences: Number(inference_count), executions: Number(execution_count) };
}

const rounds: Round[] = [];
for (const model of Object.keys(models)) await measure(model, 4);
for (let round = 0; round < Number(values.rounds); round++)
  for (const model of Object.keys(models)) rounds.push(await measure(model, Number(values.seconds)));
await server.close();

const median = (
  model: string,
  key: 'requestsPerSecond' | 'p50' | 'p99' | 'processorMilliseconds' | 'meanBatch',
): number =>
  quantile(
    rounds.filter((round) => round.model === model).map((round) => round[key]),
    0.5,
  );
const rows = Object.keys(models).map((model) => [
  model,
  median(model, 'requestsPerSecond').toFixed(0),
  median(model, 'p50').toFixed(1),
  median(model, 'p99').toFixed(1),
  median(model, 'processorMilliseconds').toFixed(3),
  median(model, 'meanBatch').toFixed(1),
]);
const gain = median('batched', 'requestsPerSecond') / median('unbatched', 'requestsPerSecond');
const failures = rounds.reduce((sum, round) => sum + round.failures, 0);
const table = formatColumns([['', 'requests/s', 'p50 ms', 'p99 ms', 'processor ms', 'batch'], ...rows]);
const isMet = gain >= leastGain && failures === 0;
process.stdout.write(
  `${table}\n\ndynamic batching, ${values.network} digit network, ${values.client}: ${gain.toFixed(2)}× (wanted ${leastGain}×), ${failures} failures: ${isMet ? 'met' : 'MISSED'}\n`,
);
if (values.out !== undefined)
  writeFileSync(values.out, `${JSON.stringify({ ...values, gain, failures, rounds }, undefined, 2)}\n`);
process.exit(isMet ? 0 : 1);
