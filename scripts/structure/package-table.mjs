/** Reads the table of packages out of ARCHITECTURE.md, so that the document is the rule and cannot drift from it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const row = /^\|\s*`(@modelwright\/[\w-]+|modelwright)`\s*\|.*\|([^|]*)\|\s*$/;

/**
 * The packages that each package may import.
 *
 * @returns a map from npm name to the set of npm names allowed; only rows of the table count.
 */
export function readPackageTable(root) {
  const lines = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').split('\n');
  const rows = lines.map((line) => row.exec(line)).filter(Boolean);
  const names = rows.map(([, name]) => name);
  return new Map(rows.map(([, name, allowed]) => [name, allowedNames(allowed.trim(), name, names)]));
}

function allowedNames(cell, self, names) {
  if (cell === 'all') return new Set(names.filter((name) => name !== self));
  return new Set(
    cell
      .split(',')
      .map((word) => word.trim())
      .filter((word) => /^[\w-]+$/.test(word))
      .map((word) => (word === 'modelwright' ? word : `@modelwright/${word}`)),
  );
}
