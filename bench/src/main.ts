/**
 * Modelwright beside its peers. Every measurement is a process of its own, and rounds interleave the peers, so that what
 * the machine does meanwhile meets all of them alike. Read the ratios, not the milliseconds.
 *
 * usage: main [--networks mlp,cnn,deep,wide,rnn,lstm] [--modes train,predict1,predict64,ticks] [--peers modelwright,torch]
 *             [--rounds 3] [--scale 1] [--out results.local.json]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { comparedTimes, type Mode, quantile } from './measurement.js';
import { networks } from './networks.js';
import { availablePeers, type Peer, runPeer } from './peers.js';
import { formatTable } from './table.js';

const { values } = parseArgs({
  options: {
    networks: { type: 'string', default: 'mlp,cnn,deep,wide,rnn,lstm' },
    modes: { type: 'string', default: 'train,predict1,predict64' },
    peers: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});

/** One line of the result: how long a peer takes, and how that compares with Modelwright. */
interface Row {
  readonly network: string;
  readonly mode: string;
  readonly peer: string;
  readonly medianMilliseconds: number;
  readonly p10Milliseconds: number;
  readonly maxMilliseconds: number;
  /** Its median over Modelwright's: above 1, Modelwright is faster. */
  ratio: number;
  readonly rounds: readonly number[];
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const chosen = availablePeers(values.peers?.split(','), say);
const rows: Row[] = [];
for (const mode of values.modes.split(',') as Mode[]) {
  for (const name of values.networks.split(',')) rows.push(...measure(name, mode));
}
process.stdout.write(`${formatTable(rows)}\n`);
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  writeFileSync(values.out, `${JSON.stringify({ machine, rows }, undefined, 2)}\n`);
}

function measure(name: string, mode: Mode): readonly Row[] {
  const network = networks[name];
  if (network === undefined) throw new TypeError(`no network '${name}'; there are ${Object.keys(networks).join(', ')}`);
  const takesPart = (peer: Peer): boolean => peer.modes.includes(mode) && (peer.networks?.includes(name) ?? true);
  const taking = chosen.filter(takesPart);
  const steps = Math.max(6, Math.round(network.steps * Number(values.scale) * (mode === 'predict1' ? 10 : 1)));
  const collected = new Map<string, (readonly number[])[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const peer of taking) {
      const measurement = runPeer(peer, { network: name, mode, steps });
      if (measurement === undefined) continue;
      const milliseconds = comparedTimes(measurement.milliseconds, mode);
      collected.set(peer.name, [...(collected.get(peer.name) ?? []), milliseconds]);
      say(`${mode} ${name} round ${round + 1}: ${peer.name} ${quantile(milliseconds, 0.5).toFixed(2)} ms`);
    }
  }
  return withRatios([...collected].map(([peer, rounds]) => rowOf({ network: name, mode, peer }, rounds)));
}

function rowOf(key: Pick<Row, 'network' | 'mode' | 'peer'>, rounds: readonly (readonly number[])[]): Row {
  const medians = rounds.map((round) => quantile(round, 0.5));
  return {
    ...key,
    medianMilliseconds: quantile(medians, 0.5),
    p10Milliseconds: quantile(rounds.flat(), 0.1),
    maxMilliseconds: quantile(rounds.flat(), 1),
    ratio: 1,
    rounds: medians,
  };
}

function withRatios(measured: readonly Row[]): readonly Row[] {
  const own = measured.find(({ peer }) => peer === 'modelwright');
  for (const row of measured)
    row.ratio = own === undefined ? Number.NaN : row.medianMilliseconds / own.medianMilliseconds;
  return measured;
}
