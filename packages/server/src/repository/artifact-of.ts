import { type Model, ModelwrightError } from '@modelwright/core';
import {
  filesToRun,
  manifestFile,
  memorySource,
  parseGolden,
  processingOf,
  readChecked,
  readManifest,
  readTokenizers,
  sha256,
  tokenizerFilesOf,
} from '@modelwright/deployment';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import type { ModelArtifact } from '../contract/served-model.js';
import type { ModelFiles } from './model-files.js';

/**
 * A version of a model out of its plain files: a bundle, compared with its manifest; or `model.onnx` (or the only `.onnx` file there is),
 * with external data and tokenizers beside.
 *
 * @throws {@link ModelwrightError} `invalid-model`, `invalid-data`, `integrity-violation` for files that are not those of the manifest,
 *   `file-unreadable` for one that is named but not there.
 */
export async function artifactOf(version: ModelFiles): Promise<ModelArtifact> {
  return version.files.has(manifestFile) ? ofBundle(version) : ofPlainFiles(version);
}

async function ofPlainFiles({ name, version, location, configuration, files }: ModelFiles): Promise<ModelArtifact> {
  const { model, bytes } = readModel(files, modelFileOf(files, location), location);
  const processing = processingOf(model);
  return {
    ...{ name, version, model, bytes, configuration },
    sha256: await sha256(bytes),
    ...(processing === undefined ? {} : { processing }),
    tokenizers: await tokenizersOf(processing, files, location),
  };
}

async function ofBundle({ name, version, location, configuration, files }: ModelFiles): Promise<ModelArtifact> {
  const source = memorySource(files, `'${location}'`);
  const manifest = await readManifest(source);
  for (const path of filesToRun(manifest)) {
    const record = manifest.files.find((file) => file.path === path);
    if (record === undefined) {
      throw new ModelwrightError('integrity-violation', `the manifest of '${location}' has no hash of '${path}'`, {
        file: path,
      });
    }
    const { violation } = await readChecked(source, record);
    if (violation !== undefined) throw violation;
  }
  const { model, bytes } = readModel(files, manifest.model.file, location);
  const processing = manifest.processing ?? processingOf(model);
  return {
    ...{ name, version, model, bytes, configuration },
    sha256: await sha256(bytes),
    ...(processing === undefined ? {} : { processing }),
    tokenizers: await tokenizersOf(processing, files, location),
    golden: parseGolden(files.get(manifest.golden.file) as Uint8Array, `'${location}'`),
  };
}

/** The model's file among those of its version. */
function modelFileOf(files: ReadonlyMap<string, Uint8Array>, location: string): string {
  const candidates = [...files.keys()].filter((path) => path.endsWith('.onnx') && !path.includes('/'));
  if (candidates.includes('model.onnx')) return 'model.onnx';
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return only;
  const what = only === undefined ? 'has no .onnx file' : `has several .onnx files and none is called model.onnx`;
  throw new ModelwrightError('invalid-model', `'${location}' ${what}`, { file: location });
}

/** The model, and one file that holds all of it. */
function readModel(
  files: ReadonlyMap<string, Uint8Array>,
  path: string,
  location: string,
): { readonly model: Model; readonly bytes: Uint8Array } {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const externalData: Record<string, Uint8Array> = {};
  let isSelfContained = true;
  for (const [other, bytes] of files) {
    if (other === path || !other.startsWith(folder)) continue;
    Object.defineProperty(externalData, other.slice(folder.length), {
      enumerable: true,
      get: () => {
        isSelfContained = false;
        return bytes;
      },
    });
  }
  const bytes = files.get(path) as Uint8Array;
  const model = readOnnx(bytes, { file: `'${location}'`, externalData });
  return { model, bytes: isSelfContained ? bytes : writeOnnx(model).bytes };
}

async function tokenizersOf(
  processing: ModelArtifact['processing'],
  files: ReadonlyMap<string, Uint8Array>,
  location: string,
): Promise<ModelArtifact['tokenizers']> {
  for (const path of tokenizerFilesOf(processing)) {
    if (files.has(path)) continue;
    throw new ModelwrightError('file-unreadable', `'${location}' has no tokenizer '${path}'`, { file: path });
  }
  return readTokenizers(processing === undefined ? {} : { processing }, files);
}
