import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadOptions, LoadResult } from './load.js';

/** Whether wrk is there: it takes a fraction of the processor that a client in JavaScript takes from the server beside it. */
export function hasWrk(): boolean {
  return spawnSync('wrk', ['-v']).error === undefined;
}

/** Puts load on a server with wrk, from one thread. */
export async function putLoadByWrk(options: LoadOptions): Promise<LoadResult> {
  const { url, connections, duration = 5 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'modelwright-wrk-'));
  try {
    const script = join(folder, 'request.lua');
    await writeFile(script, scriptOf(options));
    const text = await run(['-t1', `-c${connections}`, `-d${duration}s`, '--latency', '-s', script, url]);
    return resultOf(text, duration);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function scriptOf({ method = 'GET', headers = {}, body = '' }: LoadOptions): string {
  const bytes = [...Buffer.from(body)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('');
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  return [`wrk.method = "${method}"`, `wrk.body = "${bytes}"`, ...lines, ''].join('\n');
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(text) : reject(new RangeError(`wrk ended with ${code}: ${text}`)),
    );
  });
}

function resultOf(text: string, duration: number): LoadResult {
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  const milliseconds = (percent: string): number => {
    const [, value = '0', unit = 'ms'] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit] as number);
  };
  const [, connect = '0', read = '0', write = '0', timeouts = '0'] =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? [];
  return {
    requests: { total: number(/(\d+) requests in/) },
    latency: { p50: milliseconds('50'), p97_5: milliseconds('90'), p99: milliseconds('99'), max: milliseconds('99') },
    errors: Number(connect) + Number(read) + Number(write),
    timeouts: Number(timeouts),
    non2xx: number(/Non-2xx or 3xx responses: (\d+)/),
    duration,
  };
}
