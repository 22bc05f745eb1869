import { type Model, ModelwrightError } from '@modelwright/core';
import { type Processing, processingKey } from '@modelwright/deployment';
import { readOnnx, writeOnnx } from '@modelwright/onnx';
import { loadTokenizer, type Tokenizer } from '@modelwright/text';
import type { ModelArtifact } from '../contract/served-model.js';
import type { ModelFiles } from './model-files.js';

/**
 * A version of a model out of its plain files: `model.onnx`, or the only `.onnx` file there is, with external data and tokenizers beside.
 *
 * @throws {@link ModelwrightError} `invalid-model`, `invalid-data`, `file-unreadable` for a file that is named but not there.
 */
export async function artifactOf(version: ModelFiles): Promise<ModelArtifact> {
  const { files, location } = version;
  const path = modelFileOf(version);
  const { model, bytes } = readModel(files, path, location);
  const processing = processingOf(model, location);
  return {
    name: version.name,
    version: version.version,
    model,
    bytes,
    sha256: await sha256Of(bytes),
    configuration: version.configuration,
    ...(processing === undefined ? {} : { processing }),
    tokenizers: await tokenizersOf(processing, files, location),
  };
}

/** The model's file among those of its version. */
function modelFileOf({ files, location }: ModelFiles): string {
  const candidates = [...files.keys()].filter((path) => path.endsWith('.onnx') && !path.includes('/'));
  if (candidates.includes('model.onnx')) return 'model.onnx';
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return only;
  const what = only === undefined ? 'has no .onnx file' : `has several .onnx files and none is called model.onnx`;
  throw new ModelwrightError('invalid-model', `'${location}' ${what}`, { file: location });
}

/** The model, and one file that holds all of it. */
export function readModel(
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
  const model = readOnnx(bytes, { file: `'${location}/${path}'`, externalData });
  return { model, bytes: isSelfContained ? bytes : writeOnnx(model).bytes };
}

function processingOf(model: Model, location: string): Processing | undefined {
  const text = model.metadata[processingKey];
  if (text === undefined) return undefined;
  const processing = parseJson(text, `the processing in '${location}'`);
  if (typeof processing === 'object' && processing !== null) return processing as Processing;
  throw new ModelwrightError('invalid-data', `the processing in '${location}' is no object`, { file: location });
}

/** The tokenizers that the processing names. */
async function tokenizersOf(
  processing: Processing | undefined,
  files: ReadonlyMap<string, Uint8Array>,
  location: string,
): Promise<ReadonlyMap<string, Tokenizer>> {
  const parts = [...Object.values(processing?.inputs ?? {}), ...Object.values(processing?.outputs ?? {})];
  const paths = new Set(parts.flatMap((part) => ('tokenizer' in part ? [part.tokenizer] : [])));
  const tokenizers = new Map<string, Tokenizer>();
  for (const path of paths) {
    const bytes = files.get(path);
    if (bytes === undefined) {
      throw new ModelwrightError('file-unreadable', `'${location}' has no tokenizer '${path}'`, { file: path });
    }
    const json = parseJson(new TextDecoder().decode(bytes), `the tokenizer '${path}' in '${location}'`);
    tokenizers.set(path, await loadTokenizer(json as Parameters<typeof loadTokenizer>[0]));
  }
  return tokenizers;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelwrightError('invalid-data', `${what} is not JSON`, { cause });
  }
}

/** Lower-case hexadecimal. */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
