import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import {
  type BundleReport,
  type BundleSource,
  createVerifier,
  decryptedSource,
  manifestFile,
  urlSource,
  verifyBundle,
} from '@modelwright/deployment';
import { folderSource, keyFileProvider, verifyModelSignature } from '@modelwright/deployment/node';
import type { Command } from 'commander';
import { formatBytes, plural } from '../cli/format.js';
import { collectNames } from '../cli/option-values.js';
import { bold, type CommandResult, note, type OutputOptions, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';
import { reasonOf } from '../files/tensor-files.js';
import { backendForCommand, labelOf } from '../model/choose-backend.js';

interface VerifyOptions extends OutputOptions {
  readonly backend?: string;
  readonly run: boolean;
  readonly publicKey?: readonly string[];
  readonly modelKey?: string;
}

const examples = `
Examples:
  $ modelwright verify digits-web
  $ modelwright verify digits-web --backend wasm          on the backend that it will run on
  $ modelwright verify https://example.org/models/digits  a bundle on a web server
  $ modelwright verify digits-web --no-run                sizes and hashes only
  $ modelwright verify digits-web --public-key signing.pem.pub
  $ modelwright verify digits.onnx --public-key signing.pem.pub      of a model alone, its signature

Compares every file with the manifest, then runs the golden inputs and compares the answers with those that were kept when
the bundle was made. --public-key asks for a signature of one of those keys over all of it. Exits with 1 if anything differs.`;

/** `modelwright verify BUNDLE`: whether a bundle is what was deployed, and answers as it did. */
export function addVerifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check that a deployed bundle is whole and gives the answers it was deployed with')
    .argument('<bundle>', 'its folder, or an http(s) address; with --public-key also any signed model')
    .option('-b, --backend <name>', 'where the golden inputs are run')
    .option('--no-run', 'do not run the model')
    .option('--public-key <files>', 'the signature has to be by one of these keys, PEM', collectNames)
    .option('--model-key <file>', 'key of encrypted files')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', examples)
    .action((bundle: string, options: VerifyOptions) => runCommand(options, () => verify(bundle, options)));
}

async function verify(bundle: string, options: VerifyOptions): Promise<CommandResult> {
  const signature = options.publicKey === undefined ? undefined : await signatureVerdict(bundle, options.publicKey);
  if (signature !== undefined && !(await isBundle(bundle))) return signatureResult(bundle, signature);
  const source = await sourceOf(bundle, options.modelKey);
  if (!options.run) return resultOf(bundle, await verifyBundle(source), { signature });
  const { backend, notes } = await backendForCommand(options.backend);
  notes.forEach(note);
  try {
    return resultOf(bundle, await verifyBundle(source, { backend }), { signature, backend: labelOf(backend) });
  } finally {
    await backend.dispose();
  }
}

interface SignatureVerdict {
  readonly passed: boolean;
  /** What was signed, or what is wrong. */
  readonly text: string;
}

async function signatureVerdict(path: string, keys: readonly string[]): Promise<SignatureVerdict> {
  if (isAddress(path)) throw new ModelwrightError('invalid-argument', '--public-key: only files here can be verified');
  const verifiers = await Promise.all(keys.map(async (key) => createVerifier(await readKey(key))));
  try {
    const { resources } = await verifyModelSignature(path, { verifiers });
    return { passed: true, text: `${plural(resources.length, 'file')} as signed` };
  } catch (error) {
    if (isModelwrightError(error, 'integrity-violation')) return { passed: false, text: error.message };
    throw error;
  }
}

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ModelwrightError('file-unreadable', `cannot read '${file}': ${reasonOf(cause)}`, { file, cause });
  }
}

/** Whether there is a manifest; without one only a signature can vouch for a model. */
async function isBundle(path: string): Promise<boolean> {
  return access(join(path, manifestFile)).then(
    () => true,
    () => false,
  );
}

const isAddress = (bundle: string): boolean => /^https?:\/\//i.test(bundle);

async function sourceOf(bundle: string, key: string | undefined): Promise<BundleSource> {
  if (bundle.endsWith('.onnx')) {
    throw new ModelwrightError('invalid-argument', `'${bundle}' is a model, not a bundle`, {
      file: bundle,
      hint: `make a bundle of it: modelwright deploy ${bundle} --target onnx`,
    });
  }
  const source = isAddress(bundle) ? urlSource(bundle) : folderSource(bundle);
  return key === undefined ? source : decryptedSource(source, await keyFileProvider(key));
}

function signatureResult(path: string, signature: SignatureVerdict): CommandResult {
  const { passed, text } = signature;
  return {
    data: { path, passed, signature },
    text: () => `${bold(path)}  ${text}\n\n${passed ? 'verified' : bold('not verified')}`,
    exitCode: passed ? 0 : 1,
  };
}

interface Circumstances {
  readonly signature: SignatureVerdict | undefined;
  readonly backend?: string;
}

function resultOf(bundle: string, report: BundleReport, { signature, backend }: Circumstances): CommandResult {
  const { manifest, files, golden } = report;
  const problems = [...(signature?.passed === false ? [signature.text] : []), ...report.problems];
  const passed = problems.length === 0;
  const data = { bundle, passed, backend, signature, manifest, files, golden, problems };
  return {
    data,
    text: () => renderReport(bundle, { ...report, passed, problems }, { signature, backend }),
    exitCode: passed ? 0 : 1,
  };
}

function renderReport(
  bundle: string,
  { manifest, files, golden, problems, passed }: BundleReport,
  { signature, backend }: { signature: SignatureVerdict | undefined; backend: string | undefined },
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
    ...(signature === undefined
      ? []
      : [`${bold('signature')}\n  ${signature.passed ? 'ok   ' : 'WRONG'}  ${signature.text}`]),
    passed ? 'verified' : [bold('not verified'), ...problems.map((problem) => `  ${problem}`)].join('\n'),
  ].join('\n\n');
}

/** How much of what is allowed an answer differs. */
function distance(worst: number): string {
  if (worst === 0) return 'identical';
  return Number.isFinite(worst) ? `differs by ${(worst * 100).toPrecision(2)} % of the tolerance` : '';
}
