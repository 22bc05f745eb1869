/**
 * Whether a server withstands requests that are nearly right: JSON, raw tensors, pictures, forms, paths and gRPC, from generators with a
 * seed. Ends with 1 if the process breaks, an answer is none of those documented, right requests are answered wrong, or memory grows.
 *
 * usage: fuzz [--requests 50000] [--seed 1] [--concurrency 16] [--windows 20] [--only grpc]
 *             [--out results.local.json]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { allowed, growthOfSamples, type Sample } from '../leaks/verdict.js';
import { formatColumns } from '../table.js';
import { type GrpcRequest, grpcRequests } from './fuzz/grpc-requests.js';
import { type HttpRequest, httpRequests } from './fuzz/http-requests.js';
import { GrpcSender } from './fuzz/send-grpc.js';
import { HttpSender, type Outcome } from './fuzz/send-http.js';
import { serveSubject } from './fuzz/serve-subject.js';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '50000' },
    seed: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '16' },
    windows: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    out: { type: 'string' },
  },
});

const [requests, seed, concurrency, windows] = [values.requests, values.seed, values.concurrency, values.windows].map(
  Number,
) as [number, number, number, number];
const anyRequest = fc
  .oneof({ weight: 4, arbitrary: httpRequests }, { weight: 1, arbitrary: grpcRequests })
  .filter(({ kind }: { readonly kind: string }) => kind.includes(values.only)) as fc.Arbitrary<
  HttpRequest | GrpcRequest
>;

const right: HttpRequest = {
  kind: 'right',
  method: 'POST',
  path: '/v2/models/linear/infer',
  headers: {},
  body: Buffer.from('{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,1]}]}'),
};

// Less than the smallest object that each request could leave behind, and not more exact than code that is optimized late.
const allowedHeapBytes = Math.max(allowed.heapBytes, 40 * requests);
const allowedResidentBytes = Math.max(allowed.residentBytes, 320 * requests);

const subject = await serveSubject();
const http = new HttpSender(subject.url);
const grpc = new GrpcSender(subject.grpcAddress);
const counts = new Map<string, number>();
const wrongs: string[] = [];
const samples: Sample[] = [];
const started = performance.now();
const perWindow = Math.ceil(requests / windows);

// A third as many again to warm up: caches fill, code is optimized.
const warmUp = Math.ceil(windows / 3);
for (let window = 0; window < warmUp + windows && subject.problems.length === 0; window++) {
  if (window === warmUp) samples.push(await subject.memory());
  await fuzz(fc.sample(anyRequest, { seed: seed * 1000 + window, numRuns: perWindow }));
  await checkThatItWorks();
  if (window >= warmUp) samples.push(await subject.memory());
  process.stderr.write(
    `${window + 1}/${warmUp + windows} ${JSON.stringify(samples.at(-1) ?? {})} ${wrongs.length} wrong\n`,
  );
}
const seconds = (performance.now() - started) / 1000;
http.close();
grpc.close();
await subject.close();
report();

async function fuzz(all: readonly (HttpRequest | GrpcRequest)[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let request = all[next++]; request !== undefined && subject.problems.length === 0; request = all[next++]) {
      note(
        request,
        request.kind === 'grpc' ? await grpc.send(request as GrpcRequest) : await http.send(request as HttpRequest),
      );
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

function note(request: HttpRequest | GrpcRequest, { status, wrong }: Outcome): void {
  const key = `${request.kind}|${status}`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
  if (wrong === undefined) return;
  const bytes = 'body' in request ? request.body : request.message;
  wrongs.push(
    `${request.kind} ${request.path}: ${status} ${wrong}\n  ${JSON.stringify(Buffer.from(bytes).toString('latin1').slice(0, 300))}`,
  );
}

/** A right request gets the right answer, whatever came before. */
async function checkThatItWorks(): Promise<void> {
  const { status, body } = await http.exchange(right);
  if (status !== 200 || !body.toString().includes('"data":[5,7,9]')) wrongs.push(`a right request: ${status} ${body}`);
}

function report(): void {
  const growth = growthOfSamples(samples);
  const flat = growth.heapBytes <= allowedHeapBytes && (growth.residentBytes ?? 0) <= allowedResidentBytes;
  const rows = [...counts]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, count]) => [...key.split('|'), String(count)]);
  const sent = [...counts.values()].reduce((sum, count) => sum + count, 0);
  process.stdout.write(`${formatColumns([['request', 'answer', 'count'], ...rows])}\n\n`);
  for (const wrong of wrongs.slice(0, 20)) process.stdout.write(`WRONG ${wrong}\n`);
  for (const problem of subject.problems) process.stdout.write(`BROKEN ${problem}\n`);
  const mebibytes = (bytes = 0): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  process.stdout.write(
    `${sent} requests in ${seconds.toFixed(1)} s, ${wrongs.length} wrong, ${subject.problems.length} broken; ` +
      `memory grew by ${mebibytes(growth.heapBytes)} (JavaScript), ${mebibytes(growth.residentBytes)} (process): ${flat ? 'flat' : 'GROWS'}\n`,
  );
  if (values.out !== undefined) {
    mkdirSync(dirname(values.out), { recursive: true });
    const result = {
      node: process.version,
      seed,
      sent,
      seconds,
      counts: Object.fromEntries(counts),
      wrongs,
      samples,
      growth,
    };
    writeFileSync(values.out, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  if (wrongs.length > 0 || subject.problems.length > 0 || !flat) process.exitCode = 1;
}
