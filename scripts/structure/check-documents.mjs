/** The guides stay true: files they name exist, links lead somewhere, nothing is left behind from someone's machine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const skippedFolders = new Set(['node_modules', 'dist', '.git', '.tools', '.turbo', 'output', 'shared', '__pycache__']);
const textFile = /\.(ts|mts|mjs|js|json|md|yaml|yml|py|sh|html|txt)$|(^|\/)(run|LICENSE)$/;
const strayFile = /(^|\/)(scratch|tmp|temp|zz)[-_.]|\.(tmp|orig|rej|bak)(\.|$)/i;
const machinePath = /(?<![\w.@:/-])\/(?:work|home|root|Users)\/[\w.-]+/;

export function checkDocuments(root, report) {
  for (const path of listFiles(root, root)) {
    if (strayFile.test(path)) report.problems.push(`${path}: looks like something left behind`);
    if (!textFile.test(path) || path === 'pnpm-lock.yaml') continue;
    const lines = readFileSync(join(root, path), 'utf8').split('\n');
    checkMachinePaths(path, lines, report);
    if (path.endsWith('.md')) checkLinks(root, path, lines, report);
  }
  for (const guide of ['CONTRIBUTING.md', 'ARCHITECTURE.md', 'README.md']) {
    if (!existsSync(join(root, guide))) report.problems.push(`${guide}: is missing`);
  }
  if (existsSync(join(root, 'CONTRIBUTING.md'))) checkNamedFiles(root, report);
}

function checkMachinePaths(path, lines, report) {
  lines.forEach((line, index) => {
    const found = machinePath.exec(line);
    if (found) report.problems.push(`${path}:${index + 1}: names a path of one machine: ${found[0]}`);
  });
}

function checkLinks(root, path, lines, report) {
  lines.forEach((line, index) => {
    for (const [, target] of line.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)) {
      if (!existsSync(join(root, dirname(path), target))) {
        report.problems.push(`${path}:${index + 1}: links to ${target}, which does not exist`);
      }
    }
  });
}

/** Every `path` in backticks inside a table of CONTRIBUTING.md; `<name>` and `*` stand for any name. */
function checkNamedFiles(root, report) {
  const files = listFiles(root, root);
  const lines = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8').split('\n');
  if (lines.length > 150) report.problems.push(`CONTRIBUTING.md: ${lines.length} lines, 150 at most`);
  lines.forEach((line, index) => {
    if (!line.startsWith('|')) return;
    for (const [, name] of line.matchAll(/`([^`\s]+\/[^`\s]*)`/g)) {
      if (!name.startsWith('@') && !isNamed(name, files)) {
        report.problems.push(`CONTRIBUTING.md:${index + 1}: names ${name}, which does not exist`);
      }
    }
  });
}

function isNamed(name, files) {
  const pattern = name
    .replace(/\/$/, '/<any>')
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/<[^>]+>|\*/g, '[^/]+');
  const matcher = new RegExp(`^${pattern}($|/)`);
  return files.some((file) => matcher.test(file));
}

function listFiles(root, folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : listFiles(root, path);
    return [relative(root, path).replaceAll('\\', '/')];
  });
}
