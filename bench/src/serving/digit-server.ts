/**
 * A process that serves the digit CNN for the other benches, so that who asks does not share its event loop.
 *
 * Options come as JSON in the first argument; it sends `{ url }` when it listens, and answers questions by messages.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPredictor, Tensor } from '@modelwright/core';
import { writeOnnxFile } from '@modelwright/onnx/file';
import { serve } from '@modelwright/server/node';
import { loadBackend } from 'modelwright';
import { quantile } from '../measurement.js';
import { buildModel, type Network, networks } from '../networks.js';
import { digits } from './digit-request.js';
import { largeDigitNetwork } from './large-digit-network.js';

/** What the server is started with. */
export interface DigitServerOptions {
  /** `config.json` of each copy of the model, by name. */
  readonly models: Readonly<Record<string, object>>;
  /** The one of the quickstart, or the larger one that tutorials train: 1.2 million weights. Default `small`. */
  readonly network?: 'small' | 'large';
  /** Passed to the backend. */
  readonly backend?: Readonly<Record<string, unknown>>;
}

/** What it is asked. */
export type DigitServerQuestion =
  | { readonly kind: 'usage' }
  /** The median time of so many runs of the model alone, one example each, in milliseconds. */
  | { readonly kind: 'raw'; readonly runs: number };

const options = JSON.parse(process.argv[2] ?? '{}') as DigitServerOptions;
const { models } = options;
// As `modelwright serve` does: one core is left to the server.
const backendOptions = { threads: Math.max(1, availableParallelism() - 1), ...options.backend };
const network: Network = options.network === 'large' ? largeDigitNetwork : (networks['cnn'] as Network);
const folder = await mkdtemp(join(tmpdir(), 'modelwright-serving-'));
for (const [name, configuration] of Object.entries(models)) {
  const path = join(folder, name, '1');
  await mkdir(path, { recursive: true });
  await writeOnnxFile(buildModel(network), join(path, 'model.onnx'));
  await writeFile(join(folder, name, 'config.json'), JSON.stringify(configuration));
}
const backend = await loadBackend({ name: 'onnxruntime', ...backendOptions });
const predictor = await createPredictor(buildModel(network), backend);
const module = import.meta.resolve('@modelwright/backend-onnxruntime');
const server = await serve({
  models: folder,
  backend,
  port: 0,
  ownsProcess: true,
  backendModule: { module, options: backendOptions },
});
process.send?.({ url: server.url });

async function rawMilliseconds(runs: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    // New memory every time, as requests have it.
    const input = new Tensor('float32', [1, ...network.inputShape], digits(1));
    const start = performance.now();
    await predictor.predict(input);
    times.push(performance.now() - start);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return quantile(times, 0.5);
}

process.on('message', async (question: DigitServerQuestion) => {
  if (question.kind === 'raw') process.send?.(await rawMilliseconds(question.runs));
  else {
    globalThis.gc?.();
    process.send?.({ memory: process.memoryUsage(), cpu: process.cpuUsage() });
  }
});
process.on('disconnect', async () => {
  await server.close(0);
  await rm(folder, { recursive: true, force: true });
  process.exit(0);
});
