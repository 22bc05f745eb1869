import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Measurement, Mode, Request } from './measurement.js';

/** Something that runs the networks, as a process of its own. */
export interface Peer {
  readonly name: string;
  readonly modes: readonly Mode[];
  /** Networks it takes part in; all when left out. */
  readonly networks?: readonly string[];
  /** Peers of one group compete: only the fastest of them counts. */
  readonly group?: string;
  readonly command: readonly string[];
  readonly environment?: { readonly [name: string]: string };
  /** Fraction of the steps that it runs, where it is slow. */
  readonly share?: number;
}

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
/** The command of a peer that is written in this language. */
export const script = (name: string): readonly string[] => [process.execPath, pathOf(`./peers/${name}.js`)];
const python = process.env['BENCH_PYTHON'] ?? '/usr/bin/python3';
// Debian's PyTorch may count fewer cores than there are.
const cores = String(availableParallelism());
const torch = {
  group: 'torch',
  modes: ['train', 'predict1', 'predict64'],
  command: [python, pathOf('../peers/torch_steps.py')],
} as const;
const tfjs = { modes: ['train'], command: script('tfjs') } as const;

/** Everyone who can take part. */
export const peers: readonly Peer[] = [
  { name: 'modelwright', modes: ['train', 'predict1', 'predict64', 'ticks'], command: script('modelwright') },
  { name: 'program by hand', modes: ['train'], command: script('program') },
  { name: 'graph by hand', modes: ['train'], networks: ['mlp', 'wide'], command: script('by-hand') },
  { name: 'onnxruntime-node', modes: ['predict1', 'predict64'], command: script('onnxruntime') },
  { name: 'torch', ...torch },
  { name: 'torch, passive waiting', ...torch, environment: { OMP_WAIT_POLICY: 'passive' } },
  { name: 'torch, one BLAS thread', ...torch, environment: { OPENBLAS_NUM_THREADS: '1' } },
  { name: 'torch, all cores', ...torch, environment: { OMP_NUM_THREADS: cores, OMP_WAIT_POLICY: 'passive' } },
  {
    name: 'torch, all cores, one BLAS thread',
    ...torch,
    environment: { OMP_NUM_THREADS: cores, OPENBLAS_NUM_THREADS: '1' },
  },
  { name: 'tfjs wasm', ...tfjs, networks: ['mlp', 'rnn', 'lstm'], environment: { TFJS_BACKEND: 'wasm' }, share: 0.1 },
  { name: 'tfjs cpu', ...tfjs, networks: ['mlp', 'cnn'], environment: { TFJS_BACKEND: 'cpu' }, share: 0.05 },
];

/** Peers that can run here; says why others cannot. */
export function availablePeers(wanted: readonly string[] | undefined, say: (line: string) => void): readonly Peer[] {
  const asked = peers.filter(({ name }) => wanted === undefined || wanted.some((part) => name.includes(part)));
  const hasTorch = !asked.some(({ group }) => group === 'torch') || canImportTorch();
  if (!hasTorch) say(`PyTorch is left out: ${python} cannot import torch (Debian: apt install python3-torch)`);
  if (asked.some(({ name }) => name.startsWith('tfjs'))) installTfjs(say);
  return asked.filter(({ group }) => group !== 'torch' || hasTorch);
}

function canImportTorch(): boolean {
  return spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0;
}

/** Installs what TensorFlow.js peers need, unless it is there. */
export function installTfjs(say: (line: string) => void): void {
  const folder = pathOf('../tfjs');
  if (existsSync(`${folder}/node_modules`)) return;
  say('installing TensorFlow.js for the comparison (once)');
  spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
}

/** Runs a peer once. @returns undefined if it failed; its messages are shown. */
export function runPeer(peer: Peer, { network, mode, steps }: Request): Measurement | undefined {
  const count = Math.max(3, Math.round(steps * (peer.share ?? 1)));
  const [program = '', ...leading] = peer.command;
  const child = spawnSync(program, [...leading, network, mode, String(count)], {
    env: { ...process.env, ...peer.environment },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const line = child.stdout.trim().split('\n').at(-1) ?? '';
  if (child.status === 0 && line.startsWith('{')) return JSON.parse(line) as Measurement;
  process.stderr.write(
    `${peer.name} failed on ${network} ${mode}:\n${child.stderr.split('\n').slice(-12).join('\n')}\n`,
  );
  return undefined;
}
