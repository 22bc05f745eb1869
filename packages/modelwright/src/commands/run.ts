import { performance } from 'node:perf_hooks';
import {
  coerceInputs,
  createPredictor,
  type Model,
  ModelwrightError,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import type { Command } from 'commander';
import { describeTensor } from '../cli/describe-tensor.js';
import { formatMilliseconds } from '../cli/format.js';
import {
  collectExtent,
  collectNamedFile,
  type NamedFile,
  parseCount,
  parseNumbers,
  parsePositive,
} from '../cli/option-values.js';
import { type CommandResult, dim, note, type OutputOptions, runCommand } from '../cli/output.js';
import { tensorToJson } from '../files/json-tensors.js';
import type { PixelOptions } from '../files/png.js';
import { type NamedType, readTensorFile, writeTensorFile } from '../files/tensor-files.js';
import { backendForCommand, labelOf } from '../model/choose-backend.js';
import { fitInput, stackBatches } from '../model/fit-input.js';
import { openGraph } from '../model/open-model.js';
import { type Extents, randomInputs } from '../model/random-inputs.js';

interface RunOptions extends OutputOptions, PixelOptions {
  readonly input?: readonly NamedFile[];
  readonly output?: readonly NamedFile[];
  readonly backend?: string;
  readonly random?: number | true;
  readonly dim?: Extents;
  readonly top: number;
}

const examples = `
Examples:
  $ modelwright run digits.onnx --input digit.png
  $ modelwright run digits.onnx --input a.png --input b.png --output scores.json     two images, one batch
  $ modelwright run bert.onnx --input input_ids=ids.npy --input attention_mask=mask.npy --output all.npz
  $ modelwright run net.onnx --input image=photo.png --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
  $ echo '[[1, 2, 3]]' | modelwright run net.onnx --input - --json                   JSON in, JSON out
  $ modelwright run net.onnx --random --dim sequence=128                             does it run at all?

Files: .npy and .png hold one tensor, .npz and .json several by name. A .png is resized to the input and its pixels
become 0…1 (integers stay 0…255). Values are converted where nothing is lost, and one sample gets its batch axis.`;

/** `modelwright run FILE`: files in, files out. */
export function addRunCommand(program: Command): void {
  program
    .command('run')
    .description('run a model on values from files')
    .argument('<file>', 'the model, an .onnx file')
    .option(
      '-i, --input <[name=]path>',
      'values for an input; .npy, .npz, .json, .png, or - for JSON on standard input',
      collectNamedFile,
    )
    .option('-o, --output <[name=]path>', 'where outputs go; .npy, .npz, .json or .png', collectNamedFile)
    .option('-b, --backend <name[:device]>', 'where to run it; see `modelwright doctor`')
    .option('--random [seed]', 'random values for inputs that are not given', (value) => parseCount(value))
    .option('--dim <symbol=number>', 'extent of an input that the model leaves open, for --random', collectExtent)
    .option('--scale <factor>', 'factor for pixels 0…255 of a .png (default: 1/255 for floating inputs)', parsePositive)
    .option('--mean <numbers>', 'subtracted from scaled pixels, one or one a channel', parseNumbers)
    .option('--std <numbers>', 'pixels are divided by it, one or one a channel', parseNumbers)
    .option('--invert', 'swap black and white of a .png')
    .option('--top <count>', 'how many classes of each row to show', parseCount, 5)
    .option('--json', 'print all outputs as JSON')
    .addHelpText('after', examples)
    .action((file: string, options: RunOptions) => runCommand(options, () => run(file, options)));
}

async function run(file: string, options: RunOptions): Promise<CommandResult> {
  const model = await openGraph(file);
  const inputs = await gatherInputs(model, options);
  const { backend, notes } = await backendForCommand(options.backend);
  notes.forEach(note);
  try {
    const predictor = await createPredictor(model, backend);
    const started = performance.now();
    const outputs = await predictor.predict(inputs);
    const milliseconds = performance.now() - started;
    await writeOutputs(outputs, options.output ?? []);
    return report(outputs, { backend: labelOf(backend), milliseconds, options });
  } finally {
    await backend.dispose();
  }
}

async function gatherInputs(model: Model, options: RunOptions): Promise<TensorMap> {
  const declared = model.graph.inputs;
  const parts = new Map<string, Tensor[]>();
  for (const { name, file } of options.input ?? []) {
    const candidates = name === undefined ? declared : [findInput(declared, name)];
    const { tensors, notes } = await readTensorFile(file, candidates, options);
    notes.forEach(note);
    for (const [key, tensor] of Object.entries(nameAs(name, tensors))) {
      const fitted = fitInput(findInput(declared, key), tensor);
      fitted.notes.forEach(note);
      parts.set(key, [...(parts.get(key) ?? []), fitted.tensor]);
    }
  }
  const given = Object.fromEntries([...parts].map(([name, tensors]) => [name, stackBatches(name, tensors)]));
  const missing = declared.filter(({ name }) => !(name in given));
  if (missing.length === 0) return coerceInputs(declared, given);
  if (options.random === undefined) throw missingInputs(missing);
  const seed = options.random === true ? 1 : options.random;
  return { ...given, ...randomInputs(missing, { ...batchOf(given, declared), ...options.dim }, seed) };
}

/** A file named for one input may be an archive of one tensor under any name. */
function nameAs(name: string | undefined, tensors: TensorMap): TensorMap {
  const [only, ...others] = Object.values(tensors);
  return name !== undefined && only !== undefined && others.length === 0 ? { [name]: only } : tensors;
}

/** Extents that the given inputs settle for the random ones. */
function batchOf(given: TensorMap, declared: readonly NamedType[]): Extents {
  const pairs = declared.flatMap(({ name, shape }) =>
    shape.flatMap((extent, axis): [string, number][] => {
      const known = given[name]?.shape[axis];
      return typeof extent === 'string' && known !== undefined ? [[extent, known]] : [];
    }),
  );
  return Object.fromEntries(pairs);
}

async function writeOutputs(outputs: TensorMap, files: readonly NamedFile[]): Promise<void> {
  for (const { name, file } of files) {
    const chosen = name === undefined ? outputs : { [name]: outputs[name] as Tensor };
    if (name !== undefined && outputs[name] === undefined) throw unknownName('output', name, Object.keys(outputs));
    await writeTensorFile(file, chosen);
  }
}

function report(
  outputs: TensorMap,
  { backend, milliseconds, options }: { backend: string; milliseconds: number; options: RunOptions },
): CommandResult {
  const entries = Object.entries(outputs);
  const data = {
    backend,
    milliseconds,
    outputs: Object.fromEntries(
      entries.map(([name, tensor]) => [
        name,
        { dtype: tensor.dtype, shape: tensor.shape, values: tensorToJson(tensor) },
      ]),
    ),
  };
  const written = (options.output ?? []).map(({ file }) => `wrote ${file}`);
  const text = (): string => {
    const described = entries.map(([name, tensor]) => describeTensor(name, tensor, options.top));
    return [...described, ...written, dim(`${formatMilliseconds(milliseconds)} on ${backend}`)].join('\n');
  };
  return { data, text };
}

function findInput(inputs: readonly NamedType[], name: string): NamedType {
  const found = inputs.find((input) => input.name === name);
  if (found !== undefined) return found;
  throw unknownName(
    'input',
    name,
    inputs.map((input) => input.name),
  );
}

function unknownName(what: 'input' | 'output', name: string, allowed: readonly string[]): ModelwrightError {
  const message = `the model has no ${what} '${name}'; its ${what}s are: ${allowed.join(', ')}`;
  return new ModelwrightError('invalid-argument', message, { given: name, allowed });
}

function missingInputs(missing: readonly NamedType[]): ModelwrightError {
  const names = missing.map(({ name, dtype, shape }) => `'${name}' (${dtype} [${shape.join(',')}])`);
  const first = missing[0]!.name;
  return new ModelwrightError('invalid-argument', `the model needs values for ${names.join(', ')}`, {
    allowed: missing.map(({ name }) => name),
    hint: `--input ${first}=values.npy, or --random to try it`,
  });
}
