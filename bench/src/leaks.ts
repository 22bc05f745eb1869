/**
 * Whether memory stays flat: 10,000 predictions and 2,000 training steps on each backend, in Node and in Chromium, each in a
 * process or page of its own. Ends with 1 if anything grows in window after window.
 *
 * usage: leaks [--only chromium,native] [--kinds predict,train] [--runs 10000] [--steps 2000] [--windows 20]
 *              [--out results.local.json]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { chromiumBackends, chromiumPath, LeakSite } from './leaks/chromium.js';
import { measureInNode } from './leaks/node.js';
import { nodeBackends } from './leaks/node-backends.js';
import { type Growth, growthOfSamples, isFlat, type Measured } from './leaks/verdict.js';
import type { WorkloadKind } from './leaks/workload.js';
import { formatColumns } from './table.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    kinds: { type: 'string', default: 'predict,train' },
    runs: { type: 'string', default: '10000' },
    steps: { type: 'string', default: '2000' },
    windows: { type: 'string', default: '20' },
    out: { type: 'string' },
  },
});

/** One line of the result. */
interface Row {
  readonly where: string;
  readonly backend: string;
  readonly kind: WorkloadKind;
  readonly runs: number;
  readonly seconds: number;
  readonly growth?: Growth;
  readonly verdict: 'flat' | 'GROWS' | 'not here';
  readonly measured: Measured;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const kinds = values.kinds.split(',') as WorkloadKind[];
const isAsked = (where: string, backend: string): boolean =>
  values.only.split(',').some((part) => `${where} ${backend}`.includes(part));
const rows: Row[] = [];

for (const backend of Object.keys(nodeBackends).filter((name) => isAsked('node', name))) {
  for (const kind of kinds) await check('node', backend, kind, (size) => measureInNode(backend, kind, size));
}
const inChromium = chromiumBackends.filter((name) => isAsked('chromium', name));
if (inChromium.length > 0) await checkInChromium(inChromium);

process.stdout.write(`${formatRows(rows)}\n`);
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, `${JSON.stringify({ node: process.version, rows }, undefined, 2)}\n`);
}
if (rows.some(({ verdict }) => verdict === 'GROWS')) process.exitCode = 1;

async function checkInChromium(backends: readonly string[]): Promise<void> {
  if (chromiumPath === undefined) {
    say('No Chromium: its backends are left out. Install it (apt-get install chromium) or set CHROMIUM_PATH.');
    return;
  }
  const site = await LeakSite.open(chromiumPath);
  try {
    for (const backend of backends) {
      for (const kind of kinds) await check('chromium', backend, kind, (size) => site.measure(backend, kind, size));
    }
  } finally {
    await site.close();
  }
}

async function check(
  where: string,
  backend: string,
  kind: WorkloadKind,
  measure: (size: { runs: number; windows: number }) => Promise<Measured>,
): Promise<void> {
  const runs = Number(kind === 'predict' ? values.runs : values.steps);
  const start = performance.now();
  const measured = await measure({ runs, windows: Number(values.windows) });
  const seconds = Math.round((performance.now() - start) / 1000);
  const growth = measured.samples === undefined ? undefined : growthOfSamples(measured.samples);
  const verdict = growth === undefined ? 'not here' : isFlat(growth) ? 'flat' : 'GROWS';
  rows.push({ where, backend, kind, runs, seconds, ...(growth && { growth }), verdict, measured });
  say(`${where}, ${backend}, ${kind}: ${verdict} ${measured.missing ?? JSON.stringify(growth)} in ${seconds} s`);
}

function formatRows(all: readonly Row[]): string {
  const heading = ['where', 'backend', 'what', 'runs', 'process', 'JavaScript', 'tensors', 'verdict'];
  const cells = all.map(({ where, backend, kind, runs, growth, verdict }) => [
    where,
    backend,
    kind,
    String(runs),
    growth?.residentBytes === undefined ? '–' : `${signed(growth.residentBytes / 2 ** 20, 2)} MiB`,
    growth === undefined ? '–' : `${signed(growth.heapBytes / 2 ** 10, 1)} KiB`,
    growth?.tensors === undefined ? '–' : signed(growth.tensors, 0),
    verdict,
  ]);
  return formatColumns([heading, ...cells]);
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}
