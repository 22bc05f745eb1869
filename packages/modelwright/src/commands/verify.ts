import { ModelwrightError } from '@modelwright/core';
import { type BundleReport, type BundleSource, urlSource, verifyBundle } from '@modelwright/deployment';
import { folderSource } from '@modelwright/deployment/node';
import type { Command } from 'commander';
import { formatBytes } from '../cli/format.js';
import { bold, type CommandResult, note, type OutputOptions, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';
import { backendForCommand, labelOf } from '../model/choose-backend.js';

interface VerifyOptions extends OutputOptions {
  readonly backend?: string;
  readonly run: boolean;
}

const examples = `
Examples:
  $ modelwright verify digits-web
  $ modelwright verify digits-web --backend wasm          on the backend that it will run on
  $ modelwright verify https://example.org/models/digits  a bundle on a web server
  $ modelwright verify digits-web --no-run                sizes and hashes only

Compares every file with the manifest, then runs the golden inputs and compares the answers with those that were kept when
the bundle was made. Exits with 1 if anything differs.`;

/** `modelwright verify BUNDLE`: whether a bundle is what was deployed, and answers as it did. */
export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check that a deployed bundle is whole and gives the answers it was deployed with')
    .argument('<bundle>', 'its folder, or an http(s) address')
    .option('-b, --backend <name>', 'where the golden inputs are run')
    .option('--no-run', 'do not run the model')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', examples)
    .action((bundle: string, options: VerifyOptions) => runCommand(options, () => verify(bundle, options)));
}

async function verify(bundle: string, options: VerifyOptions): Promise<CommandResult> {
  const source = sourceOf(bundle);
  if (!options.run) return resultOf(bundle, await verifyBundle(source));
  const { backend, notes } = await backendForCommand(options.backend);
  notes.forEach(note);
  try {
    return resultOf(bundle, await verifyBundle(source, { backend }), labelOf(backend));
  } finally {
    await backend.dispose();
  }
}

function sourceOf(bundle: string): BundleSource {
  if (/^https?:\/\//i.test(bundle)) return urlSource(bundle);
  if (bundle.endsWith('.onnx')) {
    throw new ModelwrightError('invalid-argument', `'${bundle}' is a model, not a bundle`, {
      file: bundle,
      hint: `make a bundle of it: modelwright deploy ${bundle} --target onnx`,
    });
  }
  return folderSource(bundle);
}

function resultOf(bundle: string, report: BundleReport, backend?: string): CommandResult {
  const { manifest, passed, problems, files, golden } = report;
  return {
    data: { bundle, passed, ...(backend === undefined ? {} : { backend }), manifest, files, golden, problems },
    text: () => renderReport(bundle, report, backend),
    exitCode: passed ? 0 : 1,
  };
}

function renderReport(
  bundle: string,
  { manifest, files, golden, problems, passed }: BundleReport,
  backend: string | undefined,
): string {
  const { name, version, target, createdAt, licence } = manifest;
  const rows = files.map((file) => [file.passed ? 'ok' : 'WRONG', file.path, formatBytes(file.sizeBytes)]);
  const plain = [{ heading: '' }, { heading: '' }];
  const results = golden?.results.map((result) => [
    result.passed ? 'ok' : 'WRONG',
    result.name,
    distance(result.worst),
  ]);
  return [
    `${bold(bundle)}  ${name} ${version} · ${target} · ${licence} · ${createdAt}`,
    `${bold('files')}\n${indent(renderTable([...plain, { heading: '', align: 'right' }], rows))}`,
    ...(results === undefined
      ? []
      : [
          `${bold(`answers on ${backend}, expected as of ${golden?.madeWith}`)}\n${indent(renderTable([...plain, { heading: '' }], results))}`,
        ]),
    passed ? 'verified' : [bold('not verified'), ...problems.map((problem) => `  ${problem}`)].join('\n'),
  ].join('\n\n');
}

/** How much of what is allowed an answer differs. */
function distance(worst: number): string {
  if (worst === 0) return 'identical';
  return Number.isFinite(worst) ? `differs by ${(worst * 100).toPrecision(2)} % of the tolerance` : '';
}
