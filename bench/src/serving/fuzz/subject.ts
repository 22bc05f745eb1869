/** A process that serves over HTTP and gRPC, and says on request what it holds of memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { serve } from '@modelwright/server/node';
import { fuzzedModels } from './models.js';
import type { SubjectMessage } from './serve-subject.js';

const send = (message: SubjectMessage): void => void process.send?.(message);

process.on('unhandledRejection', (error) => {
  send({ kind: 'broken', what: String(error instanceof Error ? error.stack : error) });
});

const server = await serve({
  models: fuzzedModels(),
  backend: await createBackend(),
  port: 0,
  grpcPort: 0,
  limits: { maxBodyBytes: 2 ** 22 },
  connections: { headMilliseconds: 4000, bodyMilliseconds: 8000 },
});
send({ kind: 'ready', url: server.url, grpcAddress: server.grpcAddress ?? '' });

process.on('message', async () => {
  const { gc } = globalThis as { gc?: () => void };
  // What objects of the runtime's own hold is given back by finalizers, which run after the collection.
  for (let turn = 0; turn < 3; turn++) {
    gc?.();
    await sleep(20);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  send({ kind: 'memory', residentBytes: rss, heapBytes: heapUsed + external });
});
process.on('disconnect', () => process.exit());
