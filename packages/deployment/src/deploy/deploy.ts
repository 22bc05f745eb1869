import { type Backend, Model, ModelwrightError } from '@modelwright/core';
import { weightBytesOf, writeOnnx } from '@modelwright/onnx';
import { loadTokenizer, type Tokenizer, type TokenizerJson } from '@modelwright/text';
import { loadBundle } from '../bundle/load-bundle.js';
import { type BundleManifest, manifestFile } from '../bundle/manifest.js';
import { memorySource } from '../bundle/memory-source.js';
import { isPathInside } from '../bundle/parse-manifest.js';
import { sha256 } from '../bundle/sha256.js';
import { tensorInfosOf } from '../bundle/tensor-infos.js';
import { writeBundle } from '../bundle/write-bundle.js';
import type { GoldenSet } from '../golden/golden-set.js';
import { type GoldenOptions, makeGolden } from '../golden/make-golden.js';
import { makeReadings } from '../golden/make-readings.js';
import { checkProcessing } from '../processing/check-processing.js';
import { type Processing, processingKey, tokenizerFilesOf } from '../processing/processing.js';
import { processingOf, processorOf } from '../processing/processor.js';
import { targetNamed } from '../targets/index.js';
import type { BundleFile, ManifestDraft, Target, TargetBuild } from '../targets/target.js';
import { generatorName } from './generator-name.js';
import { modelCard } from './model-card.js';

export interface DeployOptions {
  /** A name of `targets`, or one of your own. */
  readonly target: string | Target;
  /** Gives the golden answers: the backend that the model was trained on, or the reference. */
  readonly backend: Backend;
  /** Folder to write to; without it the bundle is only made in memory. */
  readonly output?: string;
  /** Default the model's name. */
  readonly name?: string;
  /** A whole number from 1. Default 1. */
  readonly version?: string;
  /** SPDX identifier. Default what the model's metadata say, else `UNLICENSED`. */
  readonly licence?: string;
  readonly description?: string;
  /** What the model card tells beside what is known: data, evaluation, limits. Markdown. */
  readonly card?: string;
  /** Default what the model's metadata say. */
  readonly processing?: Processing;
  /** By the file names that `processing` has. */
  readonly tokenizers?: Readonly<Record<string, Tokenizer | TokenizerJson>>;
  readonly golden?: GoldenOptions;
  /** Options of the target: `{ opset: 17 }`. */
  readonly options?: { readonly [name: string]: unknown };
  /** Further files of the bundle. */
  readonly files?: readonly BundleFile[];
  readonly report?: (message: string) => void;
  /** When it was made. Default now, or `SOURCE_DATE_EPOCH`. */
  readonly createdAt?: Date;
}

/** A bundle as it was made: proven once already, on the backend that made its golden answers. */
export interface Deployment {
  readonly target: Target;
  readonly manifest: BundleManifest;
  /** Every file, the manifest first. */
  readonly files: readonly BundleFile[];
  /** Writes it to a folder, whole or not at all; an older bundle there is replaced. */
  write(folder: string): Promise<void>;
}

/**
 * Makes a model into a thing that runs somewhere, with the proof that it gives the same answers there: golden inputs and outputs,
 * hashes of all files, model card and processing. What the target built is read back and has to give the golden answers before
 * anything is written.
 *
 * @throws {@link ModelwrightError} `invalid-argument`, `invalid-configuration` for what the options say, `unsupported-op` for a target that
 *   cannot express the model, `integrity-violation` if the built bundle does not answer as the model does, `file-unwritable`.
 * @example
 * await deploy(model, { target: 'onnx', backend, output: 'digits-onnx', licence: 'Apache-2.0' });
 */
export async function deploy(given: Model, options: DeployOptions): Promise<Deployment> {
  const target = typeof options.target === 'string' ? targetNamed(options.target) : options.target;
  checkTargetOptions(target, options.options ?? {});
  const model = withProcessing(given, options.processing);
  const { draft, common } = await commonParts(model, target, options);
  const built = await target.build({
    model,
    manifest: draft,
    common,
    backend: options.backend,
    options: options.options ?? {},
    report: options.report ?? (() => undefined),
  });
  const { files, manifest } = await finished(built, draft, options.files ?? []);
  await proveBuilt(files, options.backend);
  if (options.output !== undefined) await writeBundle(options.output, files);
  return { target, manifest, files, write: (folder) => writeBundle(folder, files) };
}

function checkTargetOptions(target: Target, given: { readonly [name: string]: unknown }): void {
  const allowed = Object.keys(target.options);
  for (const name of Object.keys(given)) {
    if (allowed.includes(name)) continue;
    throw new ModelwrightError(
      'invalid-argument',
      `target '${target.name}' has no option '${name}'; it has: ${allowed.join(', ') || 'none'}`,
      {
        given: name,
        allowed,
      },
    );
  }
}

/** The model with its processing in the metadata, too, so that a bare copy of its file still has it. */
function withProcessing(model: Model, processing: Processing | undefined): Model {
  if (processing === undefined) return model;
  const metadata = { ...model.metadata, [processingKey]: JSON.stringify(processing) };
  const { name, graph, parameters, layers, states, outputMasks, losses } = model;
  return new Model({ name, graph, parameters, layers, states, outputMasks, losses, metadata });
}

const modelFile = 'model.onnx';
const goldenFile = 'golden.json';

/** More bytes of weights than protobuf can hold in one file. */
const mostWeightBytes = 2 ** 31 - 2 ** 26;

async function commonParts(
  model: Model,
  target: Target,
  options: DeployOptions,
): Promise<{ draft: ManifestDraft; common: readonly BundleFile[] }> {
  const processing =
    options.processing === undefined ? processingOf(model) : checkProcessing(options.processing, 'the options');
  const tokenizerFiles = tokenizersOf(processing, options.tokenizers ?? {});
  const external = weightBytesOf(model) > mostWeightBytes ? { externalData: { location: `${modelFile}.data` } } : {};
  const { bytes, externalData = {} } = writeOnnx(model, external);
  const golden = await makeGoldenSet(model, processing, options);
  const optimization = optimizationOf(model);
  const draft: ManifestDraft = {
    format: 'modelwright-bundle',
    formatVersion: 1,
    name: bundleName(options.name ?? model.name),
    version: checkedVersion(options.version ?? '1'),
    target: target.name,
    createdAt: (options.createdAt ?? timeOfBuild()).toISOString(),
    generator: generatorName(),
    licence: options.licence ?? model.metadata['licence'] ?? model.metadata['license'] ?? 'UNLICENSED',
    ...(options.description === undefined ? {} : { description: options.description }),
    model: {
      file: modelFile,
      ...(Object.keys(externalData).length > 0 ? { externalData: Object.keys(externalData) } : {}),
      ...tensorInfosOf(model),
    },
    ...(processing === undefined ? {} : { processing }),
    golden: { file: goldenFile, madeWith: golden.madeWith },
    ...(optimization === undefined ? {} : { optimization }),
  };
  const common: BundleFile[] = [
    { path: modelFile, content: bytes },
    ...Object.entries(externalData).map(([path, content]) => ({ path, content })),
    { path: goldenFile, content: `${JSON.stringify(golden)}\n` },
    ...tokenizerFiles,
    { path: 'MODEL_CARD.md', content: modelCard(model, draft, { golden, text: options.card }) },
  ];
  return { draft, common };
}

async function makeGoldenSet(
  model: Model,
  processing: Processing | undefined,
  options: DeployOptions,
): Promise<GoldenSet> {
  const golden = await makeGolden(model, options.backend, { ...options.golden, processing });
  if (isDeaf(golden)) options.report?.('the golden answers are the same for all inputs: give examples that differ');
  const tokenizers = await loadedTokenizers(options.tokenizers ?? {});
  const readings = makeReadings(processorOf({ model, processing, tokenizers }), processing);
  return readings.length === 0 ? golden : { ...golden, readings };
}

/** Whether a model gave one answer to different inputs, which would prove little. */
function isDeaf({ cases }: GoldenSet): boolean {
  const [first, second] = cases;
  if (first === undefined || second === undefined) return false;
  const text = (tensors: object): string => JSON.stringify(tensors);
  return text(first.inputs) !== text(second.inputs) && text(first.outputs) === text(second.outputs);
}

async function loadedTokenizers(
  given: Readonly<Record<string, Tokenizer | TokenizerJson>>,
): Promise<ReadonlyMap<string, Tokenizer>> {
  const entries = Object.entries(given).map(
    async ([path, tokenizer]) => [path, await loadTokenizer(jsonOf(tokenizer))] as const,
  );
  return new Map(await Promise.all(entries));
}

function jsonOf(tokenizer: Tokenizer | TokenizerJson): TokenizerJson {
  const json = typeof tokenizer['toJSON'] === 'function' ? (tokenizer as Tokenizer).toJSON() : tokenizer;
  return JSON.parse(JSON.stringify(json)) as TokenizerJson;
}

function tokenizersOf(
  processing: Processing | undefined,
  given: Readonly<Record<string, Tokenizer | TokenizerJson>>,
): readonly BundleFile[] {
  return tokenizerFilesOf(processing).map((path) => {
    const tokenizer = given[path];
    if (tokenizer === undefined || !isPathInside(path))
      throw new ModelwrightError(
        'invalid-configuration',
        `processing names the tokenizer '${path}', which was not given`,
        {
          file: path,
          allowed: Object.keys(given),
        },
      );
    return { path, content: JSON.stringify(jsonOf(tokenizer)) };
  });
}

function optimizationOf({ metadata }: Model): unknown {
  const record = metadata['modelwright.optimization'];
  try {
    return record === undefined ? undefined : JSON.parse(record);
  } catch {
    // What cannot be read is no record.
    return undefined;
  }
}

/** A name that folders, URLs and Kubernetes-like systems take. */
function bundleName(name: string): string {
  const cleaned = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, '');
  return cleaned.slice(0, 128) || 'model';
}

function checkedVersion(version: string): string {
  if (/^[1-9]\d{0,8}$/.test(version)) return version;
  throw new ModelwrightError('invalid-argument', `'${version}' is no version: a whole number from 1`, {
    given: version,
  });
}

/** Builds that are to be the same twice set `SOURCE_DATE_EPOCH`. */
function timeOfBuild(): Date {
  const seconds = process.env['SOURCE_DATE_EPOCH'];
  return seconds !== undefined && /^\d+$/.test(seconds) ? new Date(Number(seconds) * 1000) : new Date();
}

async function finished(
  built: readonly BundleFile[] | TargetBuild,
  draft: ManifestDraft,
  further: readonly BundleFile[],
): Promise<{ files: readonly BundleFile[]; manifest: BundleManifest }> {
  const { files, manifest: own } = 'files' in built ? built : { files: built, manifest: draft };
  const all = [...files, ...further];
  for (const { path } of all) {
    if (path !== manifestFile && isPathInside(path) && all.filter((file) => file.path === path).length === 1) continue;
    throw new ModelwrightError('invalid-argument', `a bundle cannot have the file '${path}' (or not twice)`, {
      file: path,
    });
  }
  const records = await Promise.all(
    all.map(async ({ path, content }) => {
      const bytes = bytesOf(content);
      return { path, sizeBytes: bytes.length, sha256: await sha256(bytes) };
    }),
  );
  const manifest: BundleManifest = { ...own, files: records.sort((a, b) => (a.path < b.path ? -1 : 1)) };
  return { manifest, files: [{ path: manifestFile, content: `${JSON.stringify(manifest, null, 2)}\n` }, ...all] };
}

const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;

/** The first proof: what was built gives the golden answers here. */
async function proveBuilt(files: readonly BundleFile[], backend: Backend): Promise<void> {
  const source = memorySource(new Map(files.map(({ path, content }) => [path, content])), 'the bundle just built');
  const bundle = await loadBundle(source, { backend });
  await bundle.dispose();
}
