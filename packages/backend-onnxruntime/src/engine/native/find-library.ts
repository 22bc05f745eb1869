import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** File name of the runtime's library by platform, the versioned one first. */
const libraryNames: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/,
};

/**
 * Finds the shared library that the npm package `onnxruntime-node` ships for this machine.
 *
 * @param from - file or URL from where the package is resolved; this package by default.
 * @returns its path, or `undefined` when the package or its build for this platform is not installed.
 */
export function findLibrary(from: string | URL = import.meta.url): string | undefined {
  const root = findPackage(from);
  const pattern = libraryNames[process.platform];
  if (root === undefined || pattern === undefined) return undefined;
  const bin = join(root, 'bin');
  const builds = list(bin).filter((name) => name.startsWith('napi-'));
  for (const build of builds) {
    const folder = join(bin, build, process.platform, process.arch);
    // macOS ships the same file under two names; either works, the shortest is the one the binding itself loads.
    const name = list(folder)
      .filter((file) => pattern.test(file))
      .sort((a, b) => a.length - b.length)[0];
    if (name !== undefined) return join(folder, name);
  }
  return undefined;
}

function findPackage(from: string | URL): string | undefined {
  for (const base of [from, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(base).resolve('onnxruntime-node/package.json'));
    } catch {
      // Not reachable from there; the next place may have it.
    }
  }
  return undefined;
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
