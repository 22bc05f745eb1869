import { ModelwrightError } from '@modelwright/core';
import { sha256, type Verifier, verifySignature } from '@modelwright/deployment';
import type { FileGuard, ModelFiles } from './model-files.js';

/** Name of the signature in a signed folder. */
const folderSignature = 'model.sig';
/** How a model is served is not part of it: operators change that without signing anew. */
const isConfiguration = (path: string): boolean => /(^|\.)config\.(json|pbtxt)$/.test(path);

/**
 * Lets in only what one of the trusted keys has signed (`modelwright sign`): every file has to be as it was then, be it signed before or
 * after it was encrypted. What the signature does not know is not seen by the server; a folder with such files is refused.
 *
 * @throws {@link ModelwrightError} `integrity-violation` naming the file, or what is wrong with the signature.
 */
export function signatureGuard(verifiers: readonly Verifier[]): FileGuard {
  return async (version) => {
    const { path, isOfFolder } = signatureOf(version);
    const text = new TextDecoder().decode(version.files.get(path));
    const { resources, serialization } = await verifySignature(text, verifiers);
    const signed = new Map(resources.map(({ name, digest }) => [name, digest.toLowerCase()]));
    const trusted = new Map<string, Uint8Array>();
    const unknown: string[] = [];
    for (const [file, bytes] of version.files) {
      const ignored = serialization.ignore_paths ?? [];
      if (file === path || isConfiguration(file) || isIgnored(file, ignored)) continue;
      if (await isAsSigned(version, file, signed)) trusted.set(file, bytes);
      else unknown.push(file);
    }
    for (const name of signed.keys()) {
      const isThere = trusted.has(name) || [...trusted.keys()].some((file) => version.sealed?.get(file)?.path === name);
      if (!isThere && !isConfiguration(name))
        throw violation(name, `'${name}', which was signed, is missing or was changed`);
    }
    const [stranger] = isOfFolder ? unknown : [];
    if (stranger !== undefined) throw violation(stranger, `'${stranger}' is not among the signed files`);
    return { ...version, files: trusted };
  };
}

/** The signature of a version: `model.sig` in its folder, or `<file>.sig` beside a single file. */
function signatureOf({ files, location }: ModelFiles): { readonly path: string; readonly isOfFolder: boolean } {
  if (files.has(folderSignature)) return { path: folderSignature, isOfFolder: true };
  const path = [...files.keys()].find((file) => /\.onnx(\.enc)?\.sig$/.test(file));
  if (path !== undefined) return { path, isOfFolder: false };
  throw new ModelwrightError('integrity-violation', `it is not signed, and this server serves signed models only`, {
    file: location,
    hint: 'modelwright sign',
  });
}

/** Whether the signature vouches for a file, plain or as it was encrypted. */
async function isAsSigned(
  { files, sealed }: ModelFiles,
  path: string,
  signed: ReadonlyMap<string, string>,
): Promise<boolean> {
  const plain = files.get(path) as Uint8Array;
  if (signed.has(path) && signed.get(path) === (await sha256(plain))) return true;
  const stored = sealed?.get(path);
  return stored !== undefined && signed.has(stored.path) && signed.get(stored.path) === (await sha256(stored.bytes));
}

function isIgnored(path: string, ignored: readonly string[]): boolean {
  return ignored.some((each) => path === each || path.startsWith(`${each}/`));
}

function violation(file: string, message: string): ModelwrightError {
  return new ModelwrightError('integrity-violation', message, { file });
}
