/**
 * Training steps of a small GPT-2 (4 layers, 128 wide, 4 heads, 64 steps, batches of 16) beside PyTorch under each of its
 * thread settings, interleaved. Read the ratios, not the milliseconds.
 *
 * usage: gpt [--rounds 3] [--steps 60]
 */
import { parseArgs } from 'node:util';
import { comparedTimes, quantile } from './measurement.js';
import { availablePeers, type Peer, runPeer, script } from './peers.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, steps: { type: 'string', default: '60' } },
});
const steps = Number(values.steps);
const own: Peer = { name: 'modelwright', modes: ['train'], command: script('modelwright-gpt') };
const others = availablePeers(['torch'], (line) => process.stderr.write(`${line}\n`)).map(
  (peer): Peer => ({
    ...peer,
    command: peer.command.map((part) => part.replace('torch_steps.py', 'torch_gpt.py')),
    share: 0.5,
  }),
);
const medians = new Map<string, number[]>();
const notes = new Map<string, unknown>();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const peer of [own, ...others]) {
    const measured = runPeer(peer, { network: 'gpt', mode: 'train', steps });
    if (measured === undefined) continue;
    medians.set(peer.name, [
      ...(medians.get(peer.name) ?? []),
      quantile(comparedTimes(measured.milliseconds, 'train'), 0.5),
    ]);
    notes.set(peer.name, measured.notes);
  }
}
const mine = quantile(medians.get(own.name) ?? [], 0.5);
for (const [name, rounds] of medians) {
  const middle = quantile(rounds, 0.5);
  const list = rounds.map((each) => each.toFixed(1)).join(' ');
  console.log(`${name.padEnd(34)} ${middle.toFixed(1).padStart(8)} ms   × ${(middle / mine).toFixed(2)}   [${list}]`);
}
console.log(JSON.stringify(Object.fromEntries(notes)));
