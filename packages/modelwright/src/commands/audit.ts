import { readFile } from 'node:fs/promises';
import { ModelwrightError } from '@modelwright/core';
import type { AuditReport } from '@modelwright/server/node';
import { type Command, InvalidArgumentError } from 'commander';
import { exitCodes } from '../cli/exit-codes.js';
import { plural } from '../cli/format.js';
import { collectNames } from '../cli/option-values.js';
import { type CommandResult, type OutputOptions, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';

interface VerifyOptions extends OutputOptions {
  readonly publicKey?: readonly string[];
  readonly head?: AuditReport['head'];
}

const examples = `
Examples:
  $ modelwright serve models --keys keys.json --audit audit
  $ modelwright audit verify audit
  $ modelwright audit verify audit --public-key audit.key.pub        was it written by who has the key?
  $ modelwright audit verify audit --head 1841:9f2c…                 does it still hold the line noted then?

Exits with ${exitCodes.file} if a line was changed, removed, put in or reordered, or if the end is missing.`;

/** `modelwright audit verify FOLDER`: whether an audit log is as it was written. */
export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('check the audit log of a server (its command takes --json)')
    .addHelpText('after', examples)
    .command('verify')
    .description('find lines that were changed, removed, put in or reordered')
    .argument('<folder>', 'the log')
    .option('--public-key <files>', 'Ed25519 keys in PEM that must have signed it, with commas between', collectNames)
    .option('--head <sequence:hash>', 'a line that was noted elsewhere and must be there', parseHead)
    .option('--json', 'print the report as JSON')
    .action((folder: string, options: VerifyOptions) => runCommand(options, () => verify(folder, options)));
}

async function verify(folder: string, { publicKey, head }: VerifyOptions): Promise<CommandResult> {
  const publicKeys = publicKey === undefined ? undefined : await Promise.all(publicKey.map(readKey));
  // Other commands need not wait for the server's packages.
  const { verifyAuditLog } = await import('@modelwright/server/node');
  const report = await verifyAuditLog(folder, {
    ...(publicKeys === undefined ? {} : { publicKeys }),
    ...(head === undefined ? {} : { expectedHead: head }),
  });
  return {
    data: { folder, ...report },
    text: () => renderReport(folder, report),
    exitCode: report.isIntact ? exitCodes.success : exitCodes.file,
  };
}

function renderReport(folder: string, report: AuditReport): string {
  const { lineCount, fileCount, firstTime, lastTime, head, signedThrough, problems } = report;
  const period = firstTime === undefined ? '' : `, ${firstTime} to ${lastTime}`;
  const size = `${plural(lineCount, 'line')} in ${plural(fileCount, 'file')}${period}`;
  const signed = signedThrough === undefined ? [] : [`signed up to line ${signedThrough}`];
  const last = `last line ${head.sequence}:${head.hash}`;
  if (problems.length === 0) return [`'${folder}' is intact: ${size}`, ...signed, last].join('\n');
  const rows = problems.map(({ file, line, what }) => [line === undefined ? file : `${file}:${line}`, what]);
  const table = indent(renderTable([{ heading: '' }, { heading: '' }], rows));
  return [`'${folder}' is NOT intact: ${size}`, table, ...signed, last].join('\n');
}

async function readKey(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read`, { file, cause });
  });
}

function parseHead(value: string): AuditReport['head'] {
  const [, sequence, hash] = /^(\d+):([0-9a-f]{64})$/.exec(value) ?? [];
  if (hash === undefined) throw new InvalidArgumentError("write it as `audit verify` prints it: '<sequence>:<hash>'.");
  return { sequence: Number(sequence), hash };
}
