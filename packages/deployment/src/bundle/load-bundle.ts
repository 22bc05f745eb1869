import {
  type Backend,
  createPredictor,
  isModelwrightError,
  type Model,
  ModelwrightError,
  type Predictor,
} from '@modelwright/core';
import { readOnnx } from '@modelwright/onnx';
import { loadTokenizer, type Tokenizer } from '@modelwright/text';
import { type GoldenReport, parseGolden, replayGolden } from '../golden/replay-golden.js';
import { replayReadings } from '../golden/replay-readings.js';
import { tokenizerFilesOf } from '../processing/processing.js';
import { type Processor, processorOf } from '../processing/processor.js';
import type { BundleSource } from './bundle-source.js';
import type { BundleManifest } from './manifest.js';
import { readChecked, readManifest, recordFor } from './read-file.js';

/** How far the loading of a bundle is. */
export interface LoadProgress {
  readonly phase: 'download' | 'compile' | 'verify';
  readonly receivedBytes: number;
  readonly totalBytes: number;
  /** Of the whole, 0…1. */
  readonly share: number;
}

export interface LoadBundleOptions {
  readonly backend: Backend;
  /**
   * What becomes of a bundle whose files are not those of its manifest, or whose model does not give the golden answers:
   * `refuse` throws, `warn` loads it all the same and tells `onWarning`. Default `refuse`.
   */
  readonly policy?: 'refuse' | 'warn';
  readonly onWarning?: (problem: ModelwrightError) => void;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Whether the golden inputs are run. Default true. */
  readonly golden?: boolean;
  /** Judges the manifest before any other file is read: a signature, say. Throws to refuse. */
  readonly checkManifest?: (manifest: BundleManifest, source: BundleSource) => void | Promise<void>;
}

/** A model out of its bundle: checked, compiled and proven. */
export interface LoadedBundle {
  readonly manifest: BundleManifest;
  readonly model: Model;
  /** Contents of the model's file, for other runtimes. */
  readonly bytes: Uint8Array;
  readonly predictor: Predictor;
  readonly processor: Processor;
  /** By the file names that `manifest.processing` has. */
  readonly tokenizers: ReadonlyMap<string, Tokenizer>;
  /** Missing where golden inputs were not run. */
  readonly golden?: GoldenReport;
  /** Pictures and sentences in, labels or vectors out: one answer an example. */
  classify(examples: Parameters<Processor['encode']>[0]): Promise<ReturnType<Processor['decode']>>;
  dispose(): Promise<void>;
}

/**
 * Loads a bundle onto a backend: reads its files, compares them with the manifest, compiles the model and runs the golden
 * inputs, so that what answers is what was deployed.
 *
 * @throws {@link ModelwrightError} `integrity-violation` naming the file or the golden case, and what reading the model, its
 *   tokenizers and compiling throw.
 * @example
 * const digits = await loadBundle(urlSource('./model/'), { backend });
 * const [answer] = await digits.classify([pngBytes]);
 */
export async function loadBundle(source: BundleSource, options: LoadBundleOptions): Promise<LoadedBundle> {
  const judge = judgeOf(options);
  const manifest = await readManifest(source);
  await options.checkManifest?.(manifest, source);
  const { files, report } = await readFiles(source, manifest, { judge, onProgress: options.onProgress });
  const model = readModel(source, manifest, files);
  const tokenizers = await readTokenizers(manifest, files);
  const processor = processorOf({ model, processing: manifest.processing, tokenizers });
  report('compile');
  const predictor = await createPredictor(model, options.backend);
  try {
    const golden =
      options.golden === false
        ? undefined
        : await prove({ source, manifest, files, predictor, processor, judge, onStart: () => report('verify') });
    return loaded(
      { manifest, model, bytes: files.get(manifest.model.file)!, predictor, processor, tokenizers },
      golden,
    );
  } catch (error) {
    await predictor.dispose();
    throw error;
  }
}

type Parts = Omit<LoadedBundle, 'golden' | 'classify' | 'dispose'>;

function loaded(parts: Parts, golden: GoldenReport | undefined): LoadedBundle {
  const { predictor, processor } = parts;
  return {
    ...parts,
    ...(golden === undefined ? {} : { golden }),
    classify: async (examples) => processor.decode(await predictor.predict(processor.encode(examples))),
    dispose: () => predictor.dispose(),
  };
}

/** Throws what is wrong, or passes it on, by policy. */
function judgeOf({ policy = 'refuse', onWarning }: LoadBundleOptions): (problem: ModelwrightError) => void {
  return (problem) => {
    if (policy === 'refuse') throw problem;
    onWarning?.(problem);
  };
}

/** The files that running the model takes, with their paths. */
export function filesToRun(manifest: BundleManifest): readonly string[] {
  const { model, golden, processing } = manifest;
  return [...new Set([model.file, ...(model.externalData ?? []), golden.file, ...tokenizerFilesOf(processing)])];
}

async function readFiles(
  source: BundleSource,
  manifest: BundleManifest,
  { judge, onProgress }: { judge: (problem: ModelwrightError) => void; onProgress: LoadBundleOptions['onProgress'] },
): Promise<{ files: ReadonlyMap<string, Uint8Array>; report: (phase: LoadProgress['phase']) => void }> {
  const records = filesToRun(manifest).map((path) => recordFor(source, manifest, path));
  const totalBytes = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const report = (phase: LoadProgress['phase'], partBytes = 0): void => {
    const receivedBytes = Math.min(totalBytes, doneBytes + partBytes);
    onProgress?.({ phase, receivedBytes, totalBytes, share: totalBytes === 0 ? 1 : receivedBytes / totalBytes });
  };
  const files = new Map<string, Uint8Array>();
  for (const record of records) {
    const { bytes, violation } = await readChecked(source, record, (received) => report('download', received));
    if (violation !== undefined) judge(violation);
    files.set(record.path, bytes);
    doneBytes += record.sizeBytes;
  }
  return { files, report };
}

/** The model of files that are in memory; external data are found beside it. */
export function readModel(
  { name }: Pick<BundleSource, 'name'>,
  { model }: BundleManifest,
  files: ReadonlyMap<string, Uint8Array>,
): Model {
  const folder = model.file.includes('/') ? model.file.slice(0, model.file.lastIndexOf('/') + 1) : '';
  const beside = (model.externalData ?? []).filter((path) => path.startsWith(folder));
  return readOnnx(files.get(model.file)!, {
    file: `'${model.file}' of ${name}`,
    externalData: Object.fromEntries(beside.map((path) => [path.slice(folder.length), files.get(path)!])),
  });
}

/** Tokenizers by the file names that processing has. */
export async function readTokenizers(
  { processing }: Pick<BundleManifest, 'processing'>,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<ReadonlyMap<string, Tokenizer>> {
  const tokenizers = new Map<string, Tokenizer>();
  for (const path of tokenizerFilesOf(processing)) {
    let json: Record<string, unknown>;
    try {
      json = JSON.parse(new TextDecoder().decode(files.get(path)));
    } catch (cause) {
      throw new ModelwrightError('invalid-data', `the tokenizer '${path}' is not JSON`, { file: path, cause });
    }
    tokenizers.set(path, await loadTokenizer(json));
  }
  return tokenizers;
}

interface Proof {
  readonly source: BundleSource;
  readonly manifest: BundleManifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly predictor: Predictor;
  readonly processor: Processor;
  readonly judge: (problem: ModelwrightError) => void;
  readonly onStart: () => void;
}

async function prove({ source, manifest, files, predictor, processor, judge, onStart }: Proof): Promise<GoldenReport> {
  onStart();
  const set = parseGolden(files.get(manifest.golden.file)!, source.name);
  const answers = await replayGolden(set, async (inputs) => {
    await predictor.resetStates();
    return predictor.predict(inputs);
  });
  await predictor.resetStates();
  const results = [...replayReadings(set, processor), ...answers.results];
  const report = { ...answers, results, passed: results.every(({ passed }) => passed) };
  for (const { name, passed, reason } of results) {
    if (passed) continue;
    judge(failedGolden(`'${manifest.name}' of ${source.name} does not answer as it was deployed: ${name}, ${reason}`));
  }
  return report;
}

function failedGolden(message: string): ModelwrightError {
  return new ModelwrightError('integrity-violation', message, { hint: 'deploy the model again, or run it elsewhere' });
}

/** Whether an error says that a bundle is not what it should be. */
export function isViolation(error: unknown): error is ModelwrightError {
  return isModelwrightError(error, 'integrity-violation');
}
