/**
 * What runs in WebAssembly, beside TensorFlow.js on the same kernels. Each round runs every peer as a process of its own, one
 * after the other; the ratios of each round are taken, then their median: of the time that passes, and of processor time,
 * which a busy machine hardly changes (all that is compared has one thread). Ends with 1 if a promise is not kept.
 *
 * usage: web [--rounds 5] [--scale 1] [--networks mlp,cnn] [--modes train,predict1,predict64] [--out results.local.json]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { comparedTimes, type Measurement, type Mode, quantile } from './measurement.js';
import { networks } from './networks.js';
import { installTfjs, type Peer, runPeer, script } from './peers.js';
import { formatColumns } from './table.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    networks: { type: 'string', default: 'mlp,cnn' },
    modes: { type: 'string', default: 'train,predict1,predict64' },
    out: { type: 'string' },
  },
});

const modes: readonly Mode[] = ['train', 'predict1', 'predict64'];
const onBackend = (name: string, backend: string): Peer => ({
  name,
  modes,
  command: script('modelwright'),
  // V8 goes on optimizing a large WebAssembly binary for seconds: half of the steps warm up.
  environment: { BENCH_BACKEND: backend, BENCH_EPOCHS: '2' },
});
const tfjs: Peer = {
  name: 'tfjs-layers, wasm',
  modes,
  command: script('tfjs'),
  environment: { TFJS_BACKEND: 'wasm' },
};
const wasm = onBackend('modelwright, wasm', 'wasm');
const web = onBackend('modelwright, onnxruntime-web', 'onnxruntime:wasm');

/** What is promised: how many times as fast as TensorFlow.js. */
const promises: readonly {
  readonly peer: Peer;
  readonly mode: Mode;
  readonly network: string;
  readonly least: number;
}[] = [
  { peer: wasm, mode: 'train', network: 'mlp', least: 5 },
  { peer: web, mode: 'train', network: 'mlp', least: 8 },
  ...['mlp', 'cnn'].flatMap((network) =>
    (['predict1', 'predict64'] as const).map((mode) => ({ peer: wasm, mode, network, least: 1 / 1.2 })),
  ),
];

/** One line of the result. */
interface Row {
  readonly mode: string;
  readonly network: string;
  readonly peer: string;
  readonly medianMilliseconds: number | undefined;
  readonly processorMilliseconds: number | undefined;
  /** How many times as fast as TensorFlow.js. */
  readonly ratio: number | undefined;
  /** The same of processor time. */
  readonly processorRatio: number | undefined;
  /** Of each round. */
  readonly ratios: readonly number[];
  readonly processorRatios: readonly number[];
  readonly least: number | undefined;
  readonly refused: string | undefined;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
installTfjs(say);
const rows = values.modes
  .split(',')
  .flatMap((mode) => values.networks.split(',').flatMap((network) => measure(network, mode as Mode)));
process.stdout.write(`${formatRows(rows)}\n`);
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  writeFileSync(values.out, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
}
if (rows.some(isMissed)) process.exitCode = 1;

function measure(name: string, mode: Mode): readonly Row[] {
  const network = networks[name];
  if (network === undefined) throw new TypeError(`no network '${name}'; there are ${Object.keys(networks).join(', ')}`);
  const peers = [tfjs, wasm, web];
  const rounds = Array.from({ length: Number(values.rounds) }, (_, round) =>
    peers.map((peer) => {
      const steps = Math.max(8, Math.round(network.steps * Number(values.scale) * shareOf(peer, mode)));
      const measured = runPeer(peer, { network: name, mode, steps });
      say(`${mode} ${name} round ${round + 1}: ${peer.name} ${describe(measured, mode)}`);
      return measured;
    }),
  );
  return peers.map((peer, at) => rowOf({ peer, mode, network: name }, rounds, at));
}

/** So that all take about equally long. */
function shareOf(peer: Peer, mode: Mode): number {
  if (mode === 'predict1') return 20;
  if (mode === 'predict64') return 2;
  return peer === tfjs ? 0.12 : 3;
}

function rowOf(
  { peer, mode, network }: { readonly peer: Peer; readonly mode: Mode; readonly network: string },
  rounds: readonly (readonly (Measurement | undefined)[])[],
  at: number,
): Row {
  const wall = compareOf(rounds.map((round) => [round[0], round[at]].map((each) => medianOf(each, mode))));
  const processor = compareOf(rounds.map((round) => [round[0], round[at]].map((one) => one?.processorMilliseconds)));
  const least = promises.find((each) => each.peer === peer && each.mode === mode && each.network === network)?.least;
  const refused = rounds[0]?.[at]?.notes?.['refused'];
  return {
    ...{ mode, network, peer: peer.name, least },
    medianMilliseconds: wall.median,
    processorMilliseconds: processor.median,
    ratio: wall.ratio,
    processorRatio: processor.ratio,
    ratios: wall.ratios,
    processorRatios: processor.ratios,
    refused: refused === undefined ? undefined : String(refused),
  };
}

interface Comparison {
  readonly median: number | undefined;
  readonly ratio: number | undefined;
  readonly ratios: readonly number[];
}

/** Pairs of TensorFlow.js's time and another's, one a round. */
function compareOf(pairs: readonly (readonly (number | undefined)[])[]): Comparison {
  const own = pairs.map(([, time]) => time).filter((time) => time !== undefined);
  const ratios = pairs.map(([theirs = Number.NaN, time = Number.NaN]) => theirs / time).filter(Number.isFinite);
  return {
    median: own.length === 0 ? undefined : quantile(own, 0.5),
    ratio: ratios.length === 0 ? undefined : quantile(ratios, 0.5),
    ratios,
  };
}

function medianOf(measured: Measurement | undefined, mode: Mode): number | undefined {
  return measured === undefined || measured.milliseconds.length === 0
    ? undefined
    : quantile(comparedTimes(measured.milliseconds, mode), 0.5);
}

function describe(measured: Measurement | undefined, mode: Mode): string {
  if (measured === undefined) return 'failed';
  const refused = measured.notes?.['refused'];
  if (refused !== undefined) return `cannot: ${refused}`;
  return `${medianOf(measured, mode)?.toFixed(2)} ms, ${measured.processorMilliseconds?.toFixed(2)} ms of a processor`;
}

/** A promise that was not kept, or a peer of ours that failed. */
function isMissed({ ratio, least, medianMilliseconds, refused }: Row): boolean {
  if (medianMilliseconds === undefined) return refused === undefined;
  return least !== undefined && !(ratio !== undefined && ratio >= least);
}

function formatRows(all: readonly Row[]): string {
  const lines = all.map((row) => [
    row.mode,
    row.network,
    row.peer,
    row.medianMilliseconds?.toFixed(2) ?? (row.refused === undefined ? 'failed' : 'cannot'),
    row.processorMilliseconds?.toFixed(2) ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}×`,
    row.processorRatio === undefined ? '' : `${row.processorRatio.toFixed(2)}×`,
    row.least === undefined ? '' : `≥ ${row.least.toFixed(2)}×${isMissed(row) ? ' MISSED' : ''}`,
  ]);
  const heading = ['mode', 'network', 'peer', 'median ms', 'CPU ms', 'times as fast', 'by CPU time', 'promised'];
  return formatColumns([heading, ...lines]);
}
