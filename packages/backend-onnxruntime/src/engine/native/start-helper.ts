import { Worker } from 'node:worker_threads';
import type { HelperThread } from '../../wasm/pass-team.js';

/** Starts a thread of Node that does not keep the process alive. */
export async function startHelper(source: string, data: object): Promise<HelperThread> {
  const helper = new Worker(source, { eval: true, workerData: data });
  await new Promise((resolve, reject) => {
    helper.once('online', resolve);
    helper.once('error', reject);
  });
  helper.unref();
  return helper;
}
