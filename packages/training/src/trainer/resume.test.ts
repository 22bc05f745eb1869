import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { callback } from '../callbacks/callback.js';
import { modelCheckpoint } from '../callbacks/model-checkpoint.js';
import { loadSafetensors } from '../checkpoint/safetensors-file.js';
import { adam } from '../optimizers/adam.js';
import { cosineDecay } from '../schedules/schedule.js';
import { trainingRun } from './resumable-training.cases.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modelwright-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A stop in the middle of an epoch: the batch fails as if the process had died. */
const diesAt = (step: number) =>
  callback({
    name: 'dies',
    onBatchEnd(_, __, run) {
      if (run.step === step) throw new RangeError('died');
    },
  });

const scheduled = adam({ learningRate: cosineDecay({ initialLearningRate: 0.01, warmupSteps: 5 }), ema: true });

test.each([
  ['adam', 'adam'],
  ['sgd', 'sgd'],
  ['nadam', 'nadam'],
  ['a schedule and averaged weights', scheduled],
] as const)('%s: a run that died in the middle of an epoch goes on bit for bit', async (_, optimizer) => {
  const path = join(folder, 'run');
  const whole = await trainingRun({ optimizer });
  const expected = await whole.fit();
  const dying = await trainingRun({ optimizer });
  const checkpoint = modelCheckpoint({ path, saveFrequency: 4 });
  await expect(dying.fit({ callbacks: [checkpoint, diesAt(13)] })).rejects.toThrow('died');
  const resumed = await trainingRun({ optimizer });
  const actual = await resumed.fit({ resumeFrom: path, callbacks: [modelCheckpoint({ path, saveFrequency: 4 })] });
  expect(resumed.trainer.step).toBe(whole.trainer.step);
  expect(resumed.trainer.model.getWeights()).toEqual(whole.trainer.model.getWeights());
  expect(actual.toJSON()).toEqual(expected.toJSON());
});

test('callbacks remember: early stopping counts on over a restart', async () => {
  const path = join(folder, 'run');
  const whole = await trainingRun({ stopEarly: true });
  const expected = await whole.fit();
  expect(expected.epochs.length).toBeLessThan(6);
  const dying = await trainingRun({ stopEarly: true });
  await expect(
    dying.fit({ callbacks: [modelCheckpoint({ path }), diesAt(expected.epochs.length * 6 - 2)] }),
  ).rejects.toThrow('died');
  const resumed = await trainingRun({ stopEarly: true });
  const actual = await resumed.fit({ resumeFrom: path });
  expect(actual.toJSON()).toEqual(expected.toJSON());
  expect(resumed.trainer.model.getWeights()).toEqual(whole.trainer.model.getWeights());
});

const backends = ['reference', 'onnxruntime'] as const;

test.each(backends)('%s: a process killed in the middle goes on bit for bit', { timeout: 120_000 }, async (backend) => {
  const [path, whole, resumed] = ['run', 'whole', 'resumed'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  expect(await trainInProcess({ backend, result: whole })).toBe(null);
  expect(await trainInProcess({ backend, result: resumed, checkpoint: path, killAtStep: 16 })).toBe('SIGKILL');
  expect(await trainInProcess({ backend, result: resumed, checkpoint: path })).toBe(null);
  expect((await loadSafetensors(resumed)).tensors).toEqual((await loadSafetensors(whole)).tensors);
});

interface ProcessOptions {
  readonly backend: string;
  /** File that the process writes the final weights to. */
  readonly result: string;
  readonly checkpoint?: string;
  readonly killAtStep?: number;
}

/** Trains in a process of its own; gives the signal that ended it. */
async function trainInProcess({ killAtStep, ...options }: ProcessOptions): Promise<NodeJS.Signals | null> {
  const manifest = pathToFileURL(createRequire(import.meta.url).resolve('jiti/package.json'));
  const loader = ['--conditions', '@modelwright/source', '--import', new URL('lib/jiti-register.mjs', manifest).href];
  const program = fileURLToPath(new URL('./train-in-process.cases.ts', import.meta.url));
  const child = spawn(process.execPath, [...loader, program, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout?.on('data', (text: Buffer) => {
    const step = Number(/step (\d+)\n$/.exec(text.toString())?.[1]);
    if (killAtStep !== undefined && step >= killAtStep) child.kill('SIGKILL');
  });
  return new Promise((resolve, reject) => {
    child.on('exit', (code, signal) =>
      code === 0 || signal !== null ? resolve(signal) : reject(new RangeError(`it ended with ${code}`)),
    );
  });
}

test('a checkpoint of another training is refused', async () => {
  const path = join(folder, 'run');
  const first = await trainingRun({ optimizer: 'adam' });
  await first.fit();
  await first.trainer.saveCheckpoint(path);
  const other = await trainingRun({ optimizer: 'sgd' });
  await expect(other.trainer.loadCheckpoint(path)).rejects.toMatchObject({ code: 'checkpoint-mismatch' });
  await writeFile(`${path}.json`, '{"format":"something"}');
  await expect(first.trainer.loadCheckpoint(path)).rejects.toMatchObject({ code: 'checkpoint-mismatch' });
});

test('a missing checkpoint may be optional', async () => {
  const run = await trainingRun({});
  await run.fit({ resumeFrom: { path: join(folder, 'none'), optional: true } });
  expect(run.trainer.step).toBe(36);
});

function fillDisk(path: string): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1k'], { stdio: 'ignore' });
  } catch {
    // It ends when the disk is full.
  }
}

test('a full disk and a read-only folder leave the checkpoint before whole, and say so', async ({ skip }) => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    skip('mounting a small file system needs root on Linux');
  }
  try {
    const path = join(disk, 'run');
    const run = await trainingRun({});
    await run.trainer.saveCheckpoint(path);
    fillDisk(join(disk, 'filler'));
    const before = await readFile(`${path}.json`, 'utf8');
    await run.fit();
    const full = await run.trainer.saveCheckpoint(path).catch((error: Error) => error.message);
    expect(full).toMatch(/was not written: .*the disk is full; the previous checkpoint is intact/);
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const readOnly = await run.trainer.saveCheckpoint(path).catch((error: Error) => error.message);
    expect(readOnly).toMatch(/the file system is read-only; the previous checkpoint is intact/);
    expect(await readFile(`${path}.json`, 'utf8')).toBe(before);
    await (await trainingRun({})).trainer.loadCheckpoint(path);
  } finally {
    execFileSync('umount', [disk]);
  }
});
