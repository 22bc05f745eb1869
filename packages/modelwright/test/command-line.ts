/** Runs the real command, as a process of its own, in a folder of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromNumbers, GraphBuilder, Model } from '@modelwright/core';
import { writeOnnxFile } from '@modelwright/onnx/file';
import { commandProgram } from './command-program.js';

const program = commandProgram();

/** Whether the command is the built one, which can start threads and processes of its own. */
export const isBuilt: boolean = program.length === 1;

export interface CommandOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Workplace {
  readonly folder: string;
  /** Runs `modelwright` with the arguments, in the folder. */
  modelwright(args: readonly string[], options?: { input?: string; env?: NodeJS.ProcessEnv }): Promise<CommandOutcome>;
  /** The same with `--json`, parsed. */
  json<Data = unknown>(
    args: readonly string[],
    options?: { env?: NodeJS.ProcessEnv },
  ): Promise<CommandOutcome & { readonly data: Data }>;
  /** Starts a command that goes on, and waits for its first line on the standard output. */
  start(args: readonly string[], options?: { env?: NodeJS.ProcessEnv }): Promise<RunningCommand>;
  dispose(): void;
}

/** A command that has not ended. */
export interface RunningCommand {
  readonly firstLine: string;
  /** Sends a signal, and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<CommandOutcome>;
}

/** A temporary folder with `tiny.onnx` in it: a small image classifier with the input `image` and the output `scores`. */
export async function createWorkplace(): Promise<Workplace> {
  const folder = mkdtempSync(join(tmpdir(), 'modelwright-command-'));
  await writeOnnxFile(tinyModel(), join(folder, 'tiny.onnx'));
  const workplace: Workplace = {
    folder,
    modelwright: (args, options = {}) => run(folder, args, options),
    async json(args, options = {}) {
      const outcome = await run(folder, [...args, '--json'], options);
      return { ...outcome, data: JSON.parse(outcome.stdout) };
    },
    start: (args, options = {}) => start(folder, args, options),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
  return workplace;
}

/** `softmax(flatten(relu(conv(image))) · kernel)` on grey images of 8×8, three classes. */
export function tinyModel(): Model {
  const builder = new GraphBuilder('tiny');
  const image = builder.input('image', 'float32', ['batch', 1, 8, 8]);
  const wave = (count: number): Float64Array => Float64Array.from({ length: count }, (_, at) => Math.sin(at * 1.7) / 2);
  const filter = builder.constant(fromNumbers('float32', [2, 1, 3, 3], wave(18)), { name: 'stem.kernel' });
  const kernel = builder.constant(fromNumbers('float32', [72, 3], wave(216)), { name: 'head.kernel' });
  const features = builder.op('Relu', [builder.op('Conv', [image, filter])]);
  const logits = builder.op('MatMul', [builder.op('Flatten', [features], { axis: 1 }), kernel]);
  builder.output('scores', builder.op('Softmax', [logits], { axis: -1 }));
  const parameters = [filter, kernel].map(
    (value) => ({ name: value.name, value, trainable: true, role: 'weight' }) as const,
  );
  return new Model({ name: 'tiny', graph: builder.build(), parameters });
}

function run(
  cwd: string,
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv },
): Promise<CommandOutcome> {
  const { child, outcome } = spawnCommand(cwd, args, env);
  child.stdin.end(input);
  return outcome;
}

async function start(
  cwd: string,
  args: readonly string[],
  { env = {} }: { env?: NodeJS.ProcessEnv },
): Promise<RunningCommand> {
  const { child, outcome } = spawnCommand(cwd, args, env);
  let stdout = '';
  const firstLine = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      const end = stdout.indexOf('\n');
      if (end >= 0) resolve(stdout.slice(0, end));
    });
    void outcome.then(({ exitCode, stderr }) => reject(new Error(`ended with ${exitCode}: ${stderr}`)), reject);
  });
  return {
    firstLine,
    stop: (signal) => {
      child.kill(signal);
      return outcome;
    },
  };
}

function spawnCommand(
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): { readonly child: ChildProcessWithoutNullStreams; readonly outcome: Promise<CommandOutcome> } {
  const { MODELWRIGHT_BACKEND: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [...program, ...args], {
    cwd,
    env: { ...inherited, NO_COLOR: '1', NODE_OPTIONS: '', ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const outcome = new Promise<CommandOutcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? -1, stdout, stderr }));
  });
  return { child, outcome };
}
