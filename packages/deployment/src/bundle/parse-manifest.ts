import { type DType, dtypeFacts, ModelwrightError } from '@modelwright/core';
import { checkProcessing } from '../processing/check-processing.js';
import type { BundleManifest, FileRecord, TensorInfo } from './manifest.js';

/** More than this no manifest needs, whatever its labels. */
export const maxManifestBytes: number = 2 ** 24;

const maxFiles = 10_000;

/**
 * Reads a manifest and checks what later code relies on: its version, that paths stay inside of the bundle, sizes and hashes.
 *
 * @param bytes - Contents of `manifest.json`.
 * @param where - What errors call the bundle.
 * @throws {@link ModelwrightError} `invalid-data` naming the entry, `unsupported-version` for a newer format.
 */
export function parseManifest(bytes: Uint8Array, where: string): BundleManifest {
  const check = new Check(where);
  const manifest = check.object(parseJson(bytes, where), 'manifest.json');
  if (manifest['format'] !== 'modelwright-bundle') throw check.wrong('format', "is not 'modelwright-bundle'");
  if (manifest['formatVersion'] !== 1) throw newerFormat(where, manifest['formatVersion']);
  for (const key of ['name', 'version', 'target', 'createdAt', 'generator', 'licence']) check.text(manifest[key], key);
  checkModel(check, check.object(manifest['model'], 'model'));
  const golden = check.object(manifest['golden'], 'golden');
  check.path(golden['file'], 'golden.file');
  check.text(golden['madeWith'], 'golden.madeWith');
  if (manifest['processing'] !== undefined) checkProcessing(manifest['processing'], where);
  checkFiles(check, manifest['files']);
  return manifest as unknown as BundleManifest;
}

/** Whether a path stays inside of its folder on every system. */
export function isPathInside(path: string): boolean {
  return (
    path !== '' &&
    path.length <= 1024 &&
    !/^\/|\\|:|\0/.test(path) &&
    !path.split('/').some((part) => /^\.{0,2}$/.test(part))
  );
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `the manifest of ${where} is not JSON`, {
      file: 'manifest.json',
      cause,
    });
  }
}

function newerFormat(where: string, given: unknown): ModelwrightError {
  return new ModelwrightError('unsupported-version', `${where} has format version ${String(given)}; 1 can be read`, {
    given,
    allowed: 1,
    hint: 'update modelwright',
  });
}

function checkModel(check: Check, model: Fields): void {
  check.path(model['file'], 'model.file');
  if (model['externalData'] !== undefined)
    for (const path of check.list(model['externalData'], 'model.externalData', 1000))
      check.path(path, 'model.externalData');
  for (const side of ['inputs', 'outputs'] as const)
    for (const info of check.list(model[side], `model.${side}`, 10_000)) checkTensorInfo(check, info, `model.${side}`);
}

function checkTensorInfo(check: Check, given: unknown, where: string): asserts given is TensorInfo {
  const info = check.object(given, where);
  check.text(info['name'], `${where}.name`);
  const dtype = info['dtype'];
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeFacts, dtype as DType))
    throw check.wrong(`${where}.dtype`, 'is no dtype');
  const isExtent = (extent: unknown): boolean =>
    typeof extent === 'string' || (Number.isSafeInteger(extent) && (extent as number) >= 0);
  if (!check.list(info['shape'], `${where}.shape`, 64).every(isExtent))
    throw check.wrong(`${where}.shape`, 'is no shape');
}

function checkFiles(check: Check, given: unknown): asserts given is readonly FileRecord[] {
  const seen = new Set<string>();
  for (const entry of check.list(given, 'files', maxFiles)) {
    const file = check.object(entry, 'files');
    const path = check.path(file['path'], 'files.path');
    if (seen.has(path)) throw check.wrong('files', `names '${path}' twice`);
    seen.add(path);
    const size = file['sizeBytes'];
    if (!Number.isSafeInteger(size) || (size as number) < 0)
      throw check.wrong(`files '${path}'`, 'has no valid sizeBytes');
    if (!/^[0-9a-f]{64}$/.test(String(file['sha256']))) throw check.wrong(`files '${path}'`, 'has no valid sha256');
  }
}

type Fields = Readonly<Record<string, unknown>>;

class Check {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  wrong(entry: string, what: string): ModelwrightError {
    return new ModelwrightError('invalid-data', `the manifest of ${this.#where}: '${entry}' ${what}`, {
      file: 'manifest.json',
      given: entry,
    });
  }

  object(given: unknown, entry: string): Fields {
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Fields;
    throw this.wrong(entry, 'is no object');
  }

  text(given: unknown, entry: string): string {
    if (typeof given === 'string' && given !== '') return given;
    throw this.wrong(entry, 'is no text');
  }

  list(given: unknown, entry: string, maxLength: number): readonly unknown[] {
    if (Array.isArray(given) && given.length <= maxLength) return given;
    throw this.wrong(entry, `is no list of at most ${maxLength} entries`);
  }

  path(given: unknown, entry: string): string {
    if (isPathInside(this.text(given, entry))) return given as string;
    throw this.wrong(entry, `is no path inside of the bundle: ${JSON.stringify(given)}`);
  }
}
