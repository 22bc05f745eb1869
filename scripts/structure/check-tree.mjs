/** The rules of the tree: who imports whom, what a source file may contain, which files the guides may name. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, relative } from 'node:path';
import { checkDocuments } from './check-documents.mjs';
import { checkManifest } from './check-manifest.mjs';
import { readPackageTable } from './package-table.mjs';
import { readSourceFacts } from './source-facts.mjs';

const isTest = (path) => /\.(test|test-d|cases)\.ts$|\/test\//.test(path);
const maximumFileLines = (path) => (/\/ops\//.test(path) ? 500 : 400);
const maximumFunctionLines = 80;

/**
 * Checks the tree under `root`.
 *
 * @returns `problems`, which fail the check, and `warnings`, which are reported only; each a line `file:line: what`.
 */
export function checkTree(root) {
  const report = { problems: [], warnings: [] };
  const table = readPackageTable(root);
  for (const folder of listFolders(join(root, 'packages'))) checkPackage(root, `packages/${folder}`, table, report);
  checkDocuments(root, report);
  return report;
}

function checkPackage(root, folder, table, report) {
  if (!existsSync(join(root, folder, 'package.json'))) return;
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const allowed = table.get(manifest.name);
  if (!allowed) {
    report.problems.push(`${folder}/package.json: ${manifest.name} is not in the table of ARCHITECTURE.md`);
    return;
  }
  const imported = new Set();
  for (const path of listSources(join(root, folder))) {
    const file = relative(root, path).replaceAll('\\', '/');
    const facts = readSourceFacts(file, readFileSync(path, 'utf8'));
    checkSource({ file, facts, manifest, allowed, imported, report });
  }
  checkManifest({ root, folder, manifest, allowed, imported, report });
}

function checkSource({ file, facts, manifest, allowed, imported, report }) {
  const test = isTest(file);
  for (const { specifier, line } of facts.imports) {
    const problem = importProblem({ specifier, manifest, allowed, test, imported });
    if (problem) report.problems.push(`${file}:${line}: ${problem}`);
  }
  if (test) return;
  for (const { line, rule } of facts.violations) report.problems.push(`${file}:${line}: ${rule}`);
  for (const { name, line } of facts.undocumented) report.problems.push(`${file}:${line}: ${name} has no doc comment`);
  if (manifest.name === '@modelwright/core') {
    for (const { name, line } of facts.globals) {
      report.problems.push(`${file}:${line}: core uses the platform global '${name}'`);
    }
  }
  warnOfLength(file, facts, report);
}

/** What is wrong with one import, if anything; notes the package it names as imported. */
function importProblem({ specifier, manifest, allowed, test, imported }) {
  if (specifier.startsWith('.')) {
    return /\.(js|mjs|json|wasm)$/.test(specifier) ? undefined : `relative import '${specifier}' does not end in .js`;
  }
  if (specifier.startsWith('#')) {
    return manifest.imports?.[specifier] ? undefined : `imports '${specifier}', which package.json does not map`;
  }
  const name = packageOf(specifier);
  if (name === 'node' || builtinModules.includes(name)) {
    if (!specifier.startsWith('node:')) return `imports '${specifier}' without the node: prefix`;
    return manifest.name === '@modelwright/core' && !test ? `core imports '${specifier}'` : undefined;
  }
  if (!test) imported.add(name);
  const runtime = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  const known = test ? { ...runtime, ...manifest.devDependencies, vitest: '*', [manifest.name]: '*' } : runtime;
  if (!test && /^(@modelwright\/|modelwright$)/.test(name) && !allowed.has(name)) {
    return `${manifest.name} may not import ${name} (table of ARCHITECTURE.md)`;
  }
  return name in known ? undefined : `imports '${name}', which package.json does not list`;
}

function warnOfLength(file, { lines, functions }, report) {
  if (/\.generated\.ts$/.test(file)) return;
  if (lines > maximumFileLines(file)) report.warnings.push(`${file}: ${lines} lines`);
  for (const { name, line, lines: length } of functions) {
    if (length > maximumFunctionLines) report.warnings.push(`${file}:${line}: function ${name} has ${length} lines`);
  }
}

function packageOf(specifier) {
  if (specifier.startsWith('node:')) return 'node';
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function listFolders(path) {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function listSources(folder) {
  return ['src', 'test'].flatMap((part) => {
    const path = join(folder, part);
    if (!existsSync(path)) return [];
    const names = readdirSync(path, { recursive: true }).map(String);
    return names.filter((name) => /\.(ts|mts)$/.test(name)).map((name) => join(path, name));
  });
}
