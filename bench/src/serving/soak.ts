/**
 * Whether a server holds out: so many requests from many connections, no failure, and memory that does not grow. Memory is looked at
 * after each tenth, following a collection; the first three tenths are for warming up.
 *
 * usage: soak [--requests 200000] [--connections 64] [--form binary] [--out soak.local.json]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatColumns } from '../table.js';
import { digitRequest, type RequestForm } from './digit-request.js';
import { failuresOf, putLoad } from './load.js';
import { startServer } from './start-server.js';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '200000' },
    connections: { type: 'string', default: '64' },
    form: { type: 'string', default: 'binary' },
    out: { type: 'string' },
  },
});
const parts = 10;
const warmParts = 3;
/** What the heap may be larger by at the end than after warming up, and the whole process, which allocators make jump. */
const mostGrowthBytes = { heapUsed: 4e6, rss: 24e6 };

const server = await startServer({ models: { digits: {} } });
const url = `${server.url}/v2/models/digits`;
const metadata = (await (await fetch(url)).json()) as { inputs: [{ name: string }] };
const request = digitRequest(values.form as RequestForm, metadata.inputs[0].name);

interface Part {
  readonly requests: number;
  readonly failures: number;
  readonly requestsPerSecond: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

const measured: Part[] = [];
for (let part = 0; part < parts; part++) {
  const amount = Math.ceil(Number(values.requests) / parts);
  const result = await putLoad({ url: `${url}/infer`, connections: Number(values.connections), amount, ...request });
  // Connections that were just closed still hold something.
  await new Promise<void>((resolve) => setTimeout(resolve, 300));
  const { heapUsed, external, rss } = (await server.usage()).memory;
  measured.push({
    requests: result.requests.total,
    failures: failuresOf(result),
    requestsPerSecond: result.requests.total / result.duration,
    heapUsed,
    external,
    rss,
  });
}
await server.close();

const mean = (among: readonly Part[], key: 'heapUsed' | 'rss'): number =>
  among.reduce((sum, part) => sum + part[key], 0) / among.length;
const warm = measured.slice(warmParts);
const half = Math.ceil(warm.length / 2);
const growth = {
  heapUsed: mean(warm.slice(-half), 'heapUsed') - mean(warm.slice(0, half), 'heapUsed'),
  rss: mean(warm.slice(-half), 'rss') - mean(warm.slice(0, half), 'rss'),
};
const failures = measured.reduce((sum, part) => sum + part.failures, 0);
const total = measured.reduce((sum, part) => sum + part.requests, 0);
const isMet =
  failures === 0 &&
  total >= Number(values.requests) &&
  growth.heapUsed <= mostGrowthBytes.heapUsed &&
  growth.rss <= mostGrowthBytes.rss;
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
const rows = measured.map((part) => [
  String(part.requests),
  part.requestsPerSecond.toFixed(0),
  String(part.failures),
  megabytes(part.heapUsed),
  megabytes(part.external),
  megabytes(part.rss),
]);
process.stdout.write(
  `${formatColumns([['requests', 'a second', 'failures', 'heap MB', 'external MB', 'process MB'], ...rows])}\n\n` +
    `${total} requests, ${failures} failures; after warming up the heap grew by ${megabytes(growth.heapUsed)} MB ` +
    `(at most ${megabytes(mostGrowthBytes.heapUsed)}), the process by ${megabytes(growth.rss)} MB ` +
    `(at most ${megabytes(mostGrowthBytes.rss)}): ${isMet ? 'met' : 'MISSED'}\n`,
);
if (values.out !== undefined)
  writeFileSync(values.out, `${JSON.stringify({ ...values, growth, failures, measured }, undefined, 2)}\n`);
process.exit(isMet ? 0 : 1);
