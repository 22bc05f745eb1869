import { createHash, createPrivateKey } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ModelwrightError } from '@modelwright/core';
import { type SignedModel, type SignedResource, signResources, verifySignature } from './model-signature.js';
import { createSigner, type Signer, type Verifier } from './signing-key.js';

/** Name of the signature in a signed folder. */
export const signatureFile = 'model.sig';

/** Never part of a signed model, at its top level. */
const ignoredByDefault = ['.git', '.gitattributes', '.github', '.gitignore'] as const;

/** What is signed, and where the signature goes. */
export interface SignModelOptions {
  readonly signer: Signer;
  /** Default `model.sig` in a folder, `<file>.sig` beside a file. */
  readonly signature?: string;
  /** Paths within the model, from its root, that are left out. */
  readonly ignorePaths?: readonly string[];
}

/** How a signature is verified. */
export interface VerifyModelOptions {
  readonly verifiers: readonly Verifier[];
  readonly signature?: string;
  /** Files that the signature does not know are no fault. */
  readonly ignoreUnsignedFiles?: boolean;
}

/**
 * Signs a model's file, or its folder with all files in it, in the format of OpenSSF model signing.
 *
 * @returns the path of the signature.
 * @throws {@link ModelwrightError} `file-unreadable`, `file-unwritable`; `invalid-data` for a symbolic link.
 * @example
 * await signModel('models/digits', { signer: await readSigner('signing-key.pem') });
 */
export async function signModel(path: string, options: SignModelOptions): Promise<string> {
  const signature = options.signature ?? (await signatureBeside(path));
  const ignored = ignoredPaths(path, signature, options.ignorePaths ?? []);
  const resources = await resourcesOf(path, ignored);
  const signed: SignedModel = {
    name: basename(resolve(path)),
    resources,
    serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ignore_paths: ignored },
  };
  const text = await signResources(signed, options.signer);
  const temporary = `${signature}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, signature);
  } catch (cause) {
    throw new ModelwrightError('file-unwritable', `'${signature}' cannot be written`, { file: signature, cause });
  }
  return signature;
}

/**
 * Verifies the signature of a model's file or folder: made by a trusted key, and every file is as it was then.
 *
 * @throws {@link ModelwrightError} `integrity-violation` naming the file that was changed, added or lost, or what is wrong with the
 *   signature; `file-unreadable`.
 */
export async function verifyModelSignature(path: string, options: VerifyModelOptions): Promise<SignedModel> {
  const signature = options.signature ?? (await signatureBeside(path));
  const text = await readFile(signature, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('integrity-violation', `'${path}' is not signed: there is no '${signature}'`, {
      file: signature,
      cause,
    });
  });
  const signed = await verifySignature(text, options.verifiers);
  const ignored = ignoredPaths(path, signature, signed.serialization.ignore_paths ?? []);
  const present = new Map((await resourcesOf(path, ignored)).map(({ name, digest }) => [name, digest]));
  const isFile = (await statOf(path)).isFile();
  for (const { name, digest } of signed.resources) {
    // The name of a single file may have changed since; what it holds may not.
    const given = present.get(name) ?? (isFile && signed.resources.length === 1 ? [...present.values()][0] : undefined);
    if (given === undefined) throw violation(name, `'${name}', which was signed, is missing`);
    if (given !== digest) throw violation(name, `'${name}' was changed after it was signed`);
    present.delete(name);
  }
  const [extra] = isFile || options.ignoreUnsignedFiles ? [] : present.keys();
  if (extra !== undefined) throw violation(extra, `'${extra}' is not among the signed files`);
  return signed;
}

/**
 * Reads a private key: PKCS #8 or SEC 1 PEM, encrypted or not.
 *
 * @throws {@link ModelwrightError} `file-unreadable`; `invalid-data` if it is no such key or the passphrase is wrong.
 */
export async function readSigner(file: string, passphrase?: string): Promise<Signer> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `the key file '${file}' cannot be read`, { file, cause });
  });
  try {
    const key = createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
    return await createSigner(key.export({ type: 'pkcs8', format: 'pem' }) as string);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `'${file}' holds no private key that can be read here`, { file, cause });
  }
}

async function signatureBeside(path: string): Promise<string> {
  return (await statOf(path)).isDirectory() ? join(path, signatureFile) : `${path}.sig`;
}

function ignoredPaths(path: string, signature: string, more: readonly string[]): readonly string[] {
  const within = relative(resolve(path), resolve(signature)).replaceAll('\\', '/');
  const own = within === '' || within.startsWith('..') ? [] : [within];
  return [...new Set([...ignoredByDefault, ...own, ...more])].sort();
}

async function resourcesOf(path: string, ignored: readonly string[]): Promise<readonly SignedResource[]> {
  if ((await statOf(path)).isFile()) return [await resourceOf(dirname(path), basename(path))];
  const names = await filesIn(path, '', ignored);
  const resources: SignedResource[] = [];
  for (const name of names) resources.push(await resourceOf(path, name));
  return resources;
}

async function filesIn(root: string, folder: string, ignored: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (ignored.includes(name)) continue;
    if (entry.isDirectory()) found.push(...(await filesIn(root, name, ignored)));
    else if (entry.isFile()) found.push(name);
    else
      throw new ModelwrightError('invalid-data', `'${name}' is a link or a device; models are signed with files only`, {
        file: name,
      });
  }
  return found;
}

async function resourceOf(root: string, name: string): Promise<SignedResource> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(root, name)), hash);
  return { name, algorithm: 'sha256', digest: hash.digest('hex') };
}

function statOf(path: string): ReturnType<typeof lstat> {
  return lstat(path).catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `there is no '${path}'`, { file: path, cause });
  });
}

function violation(file: string, message: string): ModelwrightError {
  return new ModelwrightError('integrity-violation', message, { file });
}
