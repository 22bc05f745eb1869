/**
 * Whether clients that mean harm, or are merely broken, do any: slow bodies and heads, half bodies, idle connections by the thousand, bodies
 * of a gigabyte, answers that nobody reads. Meanwhile right requests have to be answered; afterwards connections have to be gone and memory
 * free. Ends with 1 if not.
 *
 * usage: hostile [--idle 10000] [--only slow] [--out results.local.json]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { formatColumns } from '../table.js';
import type { HttpRequest } from './fuzz/http-requests.js';
import { HttpSender } from './fuzz/send-http.js';
import { serveSubject } from './fuzz/serve-subject.js';
import { type Assault, assaults } from './hostile/assaults.js';

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '10000' },
    only: { type: 'string', default: '' },
    out: { type: 'string' },
  },
});

const right: HttpRequest = {
  kind: 'right',
  method: 'POST',
  path: '/v2/models/linear/infer',
  headers: {},
  body: Buffer.from('{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,1]}]}'),
};

/** One line of the result. */
interface Row {
  readonly name: string;
  readonly clients: number;
  readonly rightRequests: number;
  readonly failed: number;
  readonly p99Milliseconds: number;
  readonly outcome: string;
  readonly heapGrowthBytes: number;
  readonly isWell: boolean;
}

/** What may be left over when all is done: caches and optimized code, no connection. */
const allowedHeapBytes = 6 * 2 ** 20;

const subject = await serveSubject();
const http = new HttpSender(subject.url);
const rows: Row[] = [];
await askRightly(new AbortController().signal, 200);
for (const assault of assaults(Number(values.idle))) {
  if (assault.name.includes(values.only)) rows.push(await withstand(assault));
}
http.close();
await subject.close();
report();

async function withstand(assault: Assault): Promise<Row> {
  process.stderr.write(`${assault.name}…\n`);
  const before = await subject.memory();
  const over = new AbortController();
  const asking = askRightly(over.signal);
  const { outcome, isWell } = await assault.run(subject.url);
  over.abort();
  const { latencies, failed } = await asking;
  await sleep(500);
  const after = await subject.memory();
  const heapGrowthBytes = after.heapBytes - before.heapBytes;
  latencies.sort((one, other) => one - other);
  return {
    name: assault.name,
    clients: assault.clients,
    rightRequests: latencies.length,
    failed,
    p99Milliseconds: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
    outcome,
    heapGrowthBytes,
    isWell:
      isWell &&
      failed === 0 &&
      latencies.length > 0 &&
      heapGrowthBytes < allowedHeapBytes &&
      subject.problems.length === 0,
  };
}

/** Asks one request after the other until it is over. */
async function askRightly(
  signal: AbortSignal,
  most = Number.POSITIVE_INFINITY,
): Promise<{ readonly latencies: number[]; readonly failed: number }> {
  const latencies: number[] = [];
  let failed = 0;
  while (!signal.aborted && latencies.length < most) {
    const start = performance.now();
    const isRight = await http.exchange(right).then(
      ({ status, body }) => status === 200 && body.toString().includes('"data":[5,7,9]'),
      () => false,
    );
    if (!isRight) failed++;
    latencies.push(performance.now() - start);
    await sleep(10);
  }
  return { latencies, failed };
}

function report(): void {
  const heading = [
    'clients that',
    'how many',
    'right requests',
    'failed',
    'p99 ms',
    'what became of them',
    'heap left',
    'verdict',
  ];
  const cells = rows.map((row) => [
    row.name,
    String(row.clients),
    String(row.rightRequests),
    String(row.failed),
    row.p99Milliseconds.toFixed(1),
    row.outcome,
    `${(row.heapGrowthBytes / 2 ** 20).toFixed(2)} MiB`,
    row.isWell ? 'no harm' : 'HARM',
  ]);
  process.stdout.write(`${formatColumns([heading, ...cells])}\n`);
  for (const problem of subject.problems) process.stdout.write(`BROKEN ${problem}\n`);
  if (values.out !== undefined) {
    mkdirSync(dirname(values.out), { recursive: true });
    writeFileSync(values.out, `${JSON.stringify({ node: process.version, rows }, undefined, 2)}\n`);
  }
  if (rows.some(({ isWell }) => !isWell) || subject.problems.length > 0) process.exitCode = 1;
}
