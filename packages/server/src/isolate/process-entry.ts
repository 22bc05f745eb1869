/** Runs in a process of its own: holds one model, and ends with the server that started it. */
import { serveHost } from '../workers/serve-host.js';

serveHost({
  onCall: (listener) => process.on('message', listener as (message: unknown) => void),
  answer: (answer) => process.send?.(answer),
  readInput: async (sizeBytes) => {
    const bytes = new Uint8Array(sizeBytes);
    let offset = 0;
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      bytes.set(chunk, offset);
      offset += chunk.length;
      if (offset === sizeBytes) break;
    }
    return bytes;
  },
  onClosed: () => process.disconnect(),
});
process.on('disconnect', () => process.exit(0));
// Whoever stops the server stops it by signals to the whole group; the server decides when its models end.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
