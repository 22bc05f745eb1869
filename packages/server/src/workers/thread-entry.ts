/** Runs in a worker thread: holds one copy of a model. */
import { parentPort } from 'node:worker_threads';
import { serveHost } from './serve-host.js';

const port = parentPort;
if (port !== null)
  serveHost({
    onCall: (listener) => port.on('message', listener),
    answer: (answer, transfer) => port.postMessage(answer, transfer),
    onClosed: () => port.close(),
  });
