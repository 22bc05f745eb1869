/** The rules of a package.json: it agrees with the table, with what its sources import and with its tsconfig. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const isInternal = (name) => name === 'modelwright' || name.startsWith('@modelwright/');

export function checkManifest({ root, folder, manifest, allowed, imported, report }) {
  const complain = (what) => report.problems.push(`${folder}/package.json: ${what}`);
  const dependencies = Object.entries(manifest.dependencies ?? {});
  for (const [name, range] of dependencies) {
    if (isInternal(name) && !allowed.has(name)) complain(`depends on ${name}, which the table forbids`);
    if (isInternal(name) && range !== 'workspace:^') complain(`depends on ${name} as '${range}', not 'workspace:^'`);
    if (!imported.has(name)) complain(`depends on ${name}, which no source imports`);
  }
  if (manifest.name === '@modelwright/core' && dependencies.length > 0) complain('core has dependencies');
  for (const name of Object.keys(manifest.peerDependencies ?? {})) {
    const isOptional = manifest.peerDependenciesMeta?.[name]?.optional || name === 'vitest';
    if (!isOptional) complain(`peer ${name} is not optional`);
  }
  checkFields(manifest, complain);
  checkReferences({ root, folder, dependencies, report });
}

function checkFields(manifest, complain) {
  if (manifest.type !== 'module') complain("'type' is not 'module'");
  if (manifest.sideEffects !== false) complain("'sideEffects' is not false");
  if (!manifest.files?.includes('dist')) complain("'files' lacks 'dist'");
  const entry = manifest.exports?.['.'] ?? {};
  // Platforms, each with conditions of its own, come before those that hold everywhere.
  const platforms = Object.values(entry).filter((target) => typeof target === 'object');
  if (![entry, ...platforms].every(hasTypesFirst)) complain("'exports' wants 'types' first and 'default' last");
  if (!('@modelwright/source' in entry)) complain("'exports' lacks the @modelwright/source condition");
  if (manifest.exports?.['./package.json'] !== './package.json') complain("'exports' lacks './package.json'");
  const published = withoutSource(manifest.exports ?? {});
  if (JSON.stringify(manifest.publishConfig?.exports) !== JSON.stringify(published)) {
    complain("'publishConfig.exports' is not 'exports' without the @modelwright/source condition");
  }
  if (
    JSON.stringify(manifest.publishConfig?.imports) !==
    JSON.stringify(manifest.imports && withoutSource(manifest.imports))
  ) {
    complain("'publishConfig.imports' is not 'imports' without the @modelwright/source condition");
  }
  if (manifest.scripts?.postinstall || manifest.scripts?.install) complain('runs a script at install time');
}

function hasTypesFirst(entry) {
  const keys = Object.keys(entry).filter((key) => key !== '@modelwright/source' && typeof entry[key] === 'string');
  return keys[0] === 'types' && keys.at(-1) === 'default';
}

/** The sources are not published: tarballs have exports without the condition that leads to them. */
function withoutSource(entry) {
  if (typeof entry === 'string') return entry;
  const kept = Object.entries(entry).filter(([condition]) => condition !== '@modelwright/source');
  return Object.fromEntries(kept.map(([condition, target]) => [condition, withoutSource(target)]));
}

/** A project reference for each internal dependency: without it `tsc -b` builds in the wrong order. */
function checkReferences({ root, folder, dependencies, report }) {
  const path = join(root, folder, 'tsconfig.json');
  if (!existsSync(path)) {
    report.problems.push(`${folder}: has no tsconfig.json`);
    return;
  }
  const references = (JSON.parse(readFileSync(path, 'utf8')).references ?? []).map((reference) => reference.path);
  const wanted = dependencies
    .filter(([name]) => isInternal(name))
    .map(([name]) => `../${name.replace('@modelwright/', '')}`);
  for (const missing of wanted.filter((reference) => !references.includes(reference))) {
    report.problems.push(`${folder}/tsconfig.json: lacks a reference to ${missing}`);
  }
  for (const surplus of references.filter((reference) => !wanted.includes(reference))) {
    report.problems.push(`${folder}/tsconfig.json: refers to ${surplus}, which package.json does not list`);
  }
}
