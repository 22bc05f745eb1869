import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A package that matters here, and its version where it is installed. */
export interface InstalledVersion {
  readonly name: string;
  readonly version?: string;
}

const own = [
  'modelwright',
  '@modelwright/core',
  '@modelwright/onnx',
  '@modelwright/models',
  '@modelwright/training',
  '@modelwright/backend-onnxruntime',
  '@modelwright/backend-wasm',
];
const runtimes = [
  'onnxruntime-node',
  'onnxruntime-web',
  'koffi',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-backend-wasm',
];
const backends = ['@modelwright/backend-onnxruntime', '@modelwright/backend-wasm'];

/** Versions of Modelwright's packages and of the runtimes its backends use, as they resolve from here. */
export async function installedVersions(): Promise<readonly InstalledVersion[]> {
  return [...own, ...runtimes].map((name) => {
    const version = versionOf(name);
    return version === undefined ? { name } : { name, version };
  });
}

function versionOf(name: string): string | undefined {
  // A runtime may be visible only to the backend that wants it.
  const places = backends.map((backend) => resolveFrom(import.meta.url, `${backend}/package.json`));
  for (const from of [import.meta.url, ...places]) {
    const entry = from && (resolveFrom(from, `${name}/package.json`) ?? resolveFrom(from, name));
    const version = entry && versionAbove(entry, name);
    if (version) return version;
  }
  return undefined;
}

function resolveFrom(from: string, specifier: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch {
    return undefined;
  }
}

/** Walks up from a file of the package to its manifest. */
function versionAbove(file: string, name: string): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (manifest.name === name) return manifest.version;
    } catch {
      // No manifest here; it is further up.
    }
  }
  return undefined;
}
