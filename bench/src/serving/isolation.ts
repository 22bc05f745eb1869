/**
 * What happens when a model's process is killed under load: its requests that were under way get a clear error, those of other models
 * are answered, and it is back in less than a second.
 *
 * usage: isolation [--kills 5] [--connections 8] [--out isolation.local.json]
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { quantile } from '../measurement.js';
import { formatColumns } from '../table.js';
import { digitRequest } from './digit-request.js';
import { startServer } from './start-server.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '5' },
    connections: { type: 'string', default: '8' },
    out: { type: 'string' },
  },
});
/** How long a model may be away. */
const mostMilliseconds = 1000;
/** Between two kills: the spare process needs its time, too. */
const pauseMilliseconds = 4000;

const models = { isolated: { isIsolated: true }, neighbour: { isIsolated: true }, inside: {} };
const server = await startServer({ models });
const metadata = (await (await fetch(`${server.url}/v2/models/inside`)).json()) as { inputs: [{ name: string }] };
const { headers, body } = digitRequest('binary', metadata.inputs[0].name);

interface Answer {
  readonly model: string;
  readonly at: number;
  readonly status: number;
  readonly error: string;
}

const answers: Answer[] = [];
let isOver = false;

async function keepAsking(model: string): Promise<void> {
  while (!isOver) {
    const response = await fetch(`${server.url}/v2/models/${model}/infer`, { method: 'POST', headers, body });
    const { status } = response;
    const error = status === 200 ? '' : ((await response.json()) as { error: string }).error;
    if (status === 200) await response.arrayBuffer();
    answers.push({ model, at: performance.now(), status, error });
    // A client that is refused comes again a little later.
    if (status !== 200) await new Promise<void>((resolve) => setTimeout(resolve, 10));
  }
}

/** The server's children that hold a model, oldest first: the spare that only waits is the youngest. */
function children(): readonly number[] {
  const list = execFileSync('ps', ['-o', 'pid=', '--ppid', String(server.process.pid)], { encoding: 'utf8' });
  return list.trim().split(/\s+/).map(Number);
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const asking = Object.keys(models).flatMap((model) =>
  Array.from({ length: Number(values.connections) }, () => keepAsking(model)),
);
await pause(pauseMilliseconds);
const away: number[] = [];
for (let kill = 0; kill < Number(values.kills); kill++) {
  const killedAt = performance.now();
  const [oldest] = children();
  process.kill(oldest as number, 'SIGKILL');
  await pause(pauseMilliseconds);
  // Whose process it was is seen by who was away longest: each model is answered many times a second otherwise.
  const gaps = Object.keys(models).map((model) => {
    const times = answers.filter((one) => one.model === model && one.status === 200 && one.at > killedAt - 500);
    let longest = 0;
    for (const [index, { at }] of times.entries())
      if (index > 0) longest = Math.max(longest, at - (times[index - 1] as Answer).at);
    return longest;
  });
  away.push(Math.max(...gaps));
}
isOver = true;
await Promise.all(asking);
await server.close();

const failed = answers.filter(({ status }) => status !== 200);
const unclear = failed.filter(({ status, error }) => status !== 503 || !error.includes('lost the process'));
const outside = failed.filter(({ model }) => model === 'inside');
const isMet = unclear.length === 0 && outside.length === 0 && away.every((gap) => gap < mostMilliseconds);
const rows = Object.keys(models).map((model) => [
  model,
  String(answers.filter((one) => one.model === model && one.status === 200).length),
  String(failed.filter((one) => one.model === model).length),
]);
process.stdout.write(
  `${formatColumns([['model', 'answers', 'refused'], ...rows])}\n\n` +
    `${away.length} kills: away for ${quantile(away, 0.5).toFixed(0)} ms (at most ${Math.max(...away).toFixed(0)}, wanted below ` +
    `${mostMilliseconds}); ${unclear.length} unclear errors: ${isMet ? 'met' : 'MISSED'}\n`,
);
for (const error of new Set(failed.map((one) => `${one.status} ${one.error}`))) process.stdout.write(`  ${error}\n`);
if (values.out !== undefined)
  writeFileSync(values.out, `${JSON.stringify({ ...values, away, failed: failed.length }, undefined, 2)}\n`);
process.exit(isMet ? 0 : 1);
