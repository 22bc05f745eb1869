/** A process of one backend that runs in windows and prints what it holds after each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Backend, isModelwrightError } from '@modelwright/core';
import { nodeBackends } from './node-backends.js';
import type { Measured, Sample } from './verdict.js';
import { openWorkload, type WorkloadKind } from './workload.js';

const [name = '', kind = 'predict', runs = '100', windows = '10'] = process.argv.slice(2);
const found = nodeBackends[name];
if (found === undefined) throw new TypeError(`no backend '${name}'; there are ${Object.keys(nodeBackends).join(', ')}`);
try {
  const backend = await found.open();
  print({ samples: await runInWindows(backend) });
  await backend.dispose();
} catch (error) {
  if (!isModelwrightError(error, 'backend-unavailable')) throw error;
  print({ missing: error.message });
}

async function runInWindows(backend: Backend): Promise<readonly Sample[]> {
  const workload = await openWorkload(backend, kind as WorkloadKind);
  // A third as many again to warm up: caches fill, code is optimized.
  await workload.repeat(Math.ceil(Number(runs) / 3));
  const samples = [await sample(backend)];
  for (let window = 0; window < Number(windows); window++) {
    await workload.repeat(Math.ceil(Number(runs) / Number(windows)));
    samples.push(await sample(backend));
  }
  await workload.close();
  return samples;
}

async function sample(backend: Backend): Promise<Sample> {
  const { gc } = globalThis as { gc?: () => void };
  // What objects of the runtime's own hold is given back by finalizers, which run after the collection.
  for (let turn = 0; turn < 3; turn++) {
    gc?.();
    await sleep(10);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const { tensorCount } = backend as { tensorCount?: () => number };
  return { residentBytes: rss, heapBytes: heapUsed + external, tensors: tensorCount?.() };
}

function print(measured: Measured): void {
  process.stdout.write(`\n${JSON.stringify(measured)}\n`);
}
