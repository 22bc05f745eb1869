import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import { manifestFile } from '@modelwright/deployment';
import { isVersion } from '../hub/version-policy.js';
import { isModelName } from './model-files.js';

/** A file of a version, before it is read. */
export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMilliseconds: number;
}

/** One version as it lies on the disk. */
export interface FoundVersion {
  readonly version: string;
  /** What errors call it. */
  readonly location: string;
  /** Its files are relative to this. */
  readonly folder: string;
  readonly files: readonly FoundFile[];
  readonly fingerprint: string;
  readonly sizeBytes: number;
}

/** A model as it lies on the disk. */
export interface FoundModel {
  readonly name: string;
  readonly versions: readonly FoundVersion[];
  /** `config.json` or `config.pbtxt`, if there is one. */
  readonly configurationFile?: string;
  readonly problem?: string;
}

const configurationNames = ['config.json', 'config.pbtxt'] as const;
const modelFile = /\.onnx(\.enc)?$/;
const mostFiles = 10_000;
const maxManifestCharacters = 2 ** 24;

/** What models a folder (or a single file, or a single bundle) holds. @throws {@link ModelwrightError} `file-unreadable`. */
export async function scanFolder(path: string): Promise<readonly FoundModel[]> {
  const isFile = await stat(path).then(
    (stats) => stats.isFile(),
    (cause: unknown) => {
      throw new ModelwrightError('file-unreadable', `there is no '${path}'`, { file: path, cause });
    },
  );
  if (isFile) return scanBare(dirname(path), [basename(path)]);
  const entries = await list(path);
  const bundle = await bundleFactsOf(path);
  if (bundle !== undefined && isModelName(bundle.name)) return [await scanModel(path, bundle.name)];
  const models = [...(await scanBare(path, entries.files))];
  for (const name of entries.folders) {
    if (!isModelName(name)) continue;
    const model = await scanModel(join(path, name), name).catch(() => unreadable(name));
    const isModel = model.versions.length > 0 || model.configurationFile !== undefined || model.problem !== undefined;
    if (isModel) models.push(model);
  }
  return withoutDoubles(models);
}

/** Name and version that a bundle gives itself; what else its manifest says is checked when it is read. */
async function bundleFactsOf(folder: string): Promise<{ readonly name: string; readonly version: string } | undefined> {
  const text = await readFile(join(folder, manifestFile), 'utf8').catch(() => undefined);
  if (text === undefined || text.length > maxManifestCharacters) return undefined;
  try {
    const { name, version } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return { name: String(name), version: isVersion(String(version)) ? String(version) : '1' };
  } catch {
    return { name: basename(resolve(folder)), version: '1' };
  }
}

/** `digits.onnx`, with everything beside it that is called `digits.…`. */
async function scanBare(folder: string, among: readonly string[]): Promise<readonly FoundModel[]> {
  const { files: names } = await list(folder);
  const models: FoundModel[] = [];
  for (const file of among.filter((name) => modelFile.test(name))) {
    const name = file.replace(modelFile, '');
    if (!isModelName(name)) continue;
    const own = names.filter((other) => other === file || (other.startsWith(`${name}.`) && !modelFile.test(other)));
    const configuration = own.find((other) => configurationNames.some((kind) => other === `${name}.${kind}`));
    const files = await statAll(folder, own);
    models.push({
      name,
      versions: [versionOf({ version: '1', location: file, folder, files })],
      ...(configuration === undefined ? {} : { configurationFile: join(folder, configuration) }),
    });
  }
  return models;
}

/** A model with a folder of its own: numbered versions, or the files of the only one. */
async function scanModel(folder: string, name: string): Promise<FoundModel> {
  const bundle = await bundleFactsOf(folder);
  const { files, folders } = await list(folder);
  const configuration = configurationNames.find((each) => files.includes(each));
  const shared = configuration === undefined ? [] : await statAll(folder, [configuration]);
  const numbered = folders.filter(isVersion);
  const versions: FoundVersion[] = [];
  for (const version of numbered) {
    if (version === bundle?.version) {
      versions.push(await bundledVersion(folder, { name, version, files }));
      continue;
    }
    const own = join(folder, version);
    const found = await statAll(own, await filesWithin(own));
    const location = `${name}/${version}`;
    if (found.length > 0) versions.push(versionOf({ version, location, folder: own, files: found }, shared));
  }
  const isOnlyOne = files.some((file) => modelFile.test(file)) || files.includes(manifestFile);
  if (numbered.length === 0 && isOnlyOne) {
    const found = await statAll(folder, await filesWithin(folder));
    versions.push(versionOf({ version: bundle?.version ?? '1', location: name, folder, files: found }));
  }
  return { name, versions, ...(configuration === undefined ? {} : { configurationFile: join(folder, configuration) }) };
}

/** The version that a bundle beside the numbered folders is about, as deployments to Triton have it. */
async function bundledVersion(
  folder: string,
  { name, version, files }: { readonly name: string; readonly version: string; readonly files: readonly string[] },
): Promise<FoundVersion> {
  const found = await statAll(folder, [...files, ...(await filesWithin(folder, `${version}/`))]);
  return versionOf({ version, location: name, folder, files: found });
}

function versionOf(
  version: Omit<FoundVersion, 'fingerprint' | 'sizeBytes'>,
  shared: readonly FoundFile[] = [],
): FoundVersion {
  const hash = createHash('sha256');
  for (const { path, sizeBytes, modifiedMilliseconds } of [...version.files, ...shared]) {
    hash.update(`${path}\0${sizeBytes}\0${modifiedMilliseconds}\n`);
  }
  const sizeBytes = version.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { ...version, fingerprint: hash.digest('hex'), sizeBytes };
}

/** One folder that cannot be read does not hide the others. */
function unreadable(name: string): FoundModel {
  return { name, versions: [], problem: `the folder '${name}' cannot be read` };
}

function withoutDoubles(models: readonly FoundModel[]): readonly FoundModel[] {
  const byName = new Map<string, FoundModel>();
  for (const model of models) {
    const problem = `there are several models '${model.name}': a file and a folder`;
    byName.set(model.name, byName.has(model.name) ? { name: model.name, versions: [], problem } : model);
  }
  return [...byName.values()];
}

async function list(
  folder: string,
): Promise<{ readonly files: readonly string[]; readonly folders: readonly string[] }> {
  const all = await readdir(folder).catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `the folder '${folder}' cannot be read`, { file: folder, cause });
  });
  const names = all.filter((name) => !name.startsWith('.')).sort();
  const files: string[] = [];
  const folders: string[] = [];
  for (const name of names) {
    // Links are followed: that is how orchestrators mount and swap folders.
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats?.isFile()) files.push(name);
    if (stats?.isDirectory()) folders.push(name);
  }
  return { files, folders };
}

async function filesWithin(folder: string, prefix = ''): Promise<readonly string[]> {
  const { files, folders } = await list(join(folder, prefix));
  const within = files.map((file) => `${prefix}${file}`);
  for (const each of folders) {
    if (within.length > mostFiles || prefix.split('/').length > 8) break;
    within.push(...(await filesWithin(folder, `${prefix}${each}/`)));
  }
  return within;
}

async function statAll(folder: string, paths: readonly string[]): Promise<readonly FoundFile[]> {
  const files: FoundFile[] = [];
  for (const path of paths) {
    const stats = await stat(join(folder, path)).catch(() => undefined);
    if (stats?.isFile()) files.push({ path, sizeBytes: stats.size, modifiedMilliseconds: stats.mtimeMs });
  }
  return files;
}
