import { access, chmod } from 'node:fs/promises';
import { ModelwrightError } from '@modelwright/core';
import { generateSigningKeys } from '@modelwright/deployment';
import { readSigner, signModel } from '@modelwright/deployment/node';
import { writeFileAtomically } from '@modelwright/training/node';
import type { Command } from 'commander';
import { collectNames } from '../cli/option-values.js';
import { type CommandResult, type OutputOptions, runCommand } from '../cli/output.js';

interface SignCommandOptions extends OutputOptions {
  readonly key: string;
  readonly output?: string;
  readonly generateKey?: string | true;
  readonly passphraseEnv?: string;
  readonly ignore?: readonly string[];
}

const examples = `
Examples:
  $ modelwright sign site --key signing.pem --generate-key        makes signing.pem and signing.pem.pub, writes site/model.sig
  $ modelwright sign digits.onnx --key signing.pem                writes digits.onnx.sig
  $ modelwright verify site --public-key signing.pem.pub
  $ modelwright serve models --public-key signing.pem.pub         serves signed models only

The format is OpenSSF Model Signing 1.0, which the tools of sigstore/model-transparency verify as well:
    model_signing verify key --signature site/model.sig --public_key signing.pem.pub site`;

/** `modelwright sign PATH`: a signature over all files of a model. */
export function addSignCommand(program: Command): void {
  program
    .command('sign')
    .description('sign a model, so that whoever runs it can tell that it is yours and unchanged')
    .argument('<path>', 'a model file, or a folder with all that belongs to it')
    .requiredOption('-k, --key <file>', 'the private key: PEM, of the kind P-256, P-384, P-521 or Ed25519')
    .option(
      '-o, --output <path>',
      'where the signature goes (default: model.sig in a folder, <file>.sig beside a file)',
    )
    .option('--generate-key [kind]', 'make the key first (P-256); the public key goes beside it, as <file>.pub')
    .option('--passphrase-env <variable>', 'the variable with the passphrase of the private key')
    .option('--ignore <paths>', 'paths in the folder to leave out, with commas between', collectNames)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', examples)
    .action((path: string, options: SignCommandOptions) => runCommand(options, () => sign(path, options)));
}

async function sign(path: string, options: SignCommandOptions): Promise<CommandResult> {
  const { key, output, generateKey, passphraseEnv, ignore } = options;
  if (generateKey !== undefined) await writeKeys(key, generateKey === true ? 'P-256' : generateKey);
  const signer = await readSigner(key, passphraseEnv === undefined ? undefined : process.env[passphraseEnv]);
  const signature = await signModel(path, {
    signer,
    ...(output === undefined ? {} : { signature: output }),
    ...(ignore === undefined ? {} : { ignorePaths: ignore }),
  });
  const keyLine =
    generateKey === undefined ? '' : `\nthe keys are '${key}' (keep it secret) and '${key}.pub' (give it away)`;
  return {
    data: { path, signature, publicKey: signer.publicKeyPem },
    text: () => `signed '${path}': '${signature}'${keyLine}`,
  };
}

async function writeKeys(file: string, kind: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw new ModelwrightError('file-unwritable', `the key file '${file}' is there already`, { file });
  const { privateKey, publicKey } = await generateSigningKeys(kind);
  await writeFileAtomically(file, new TextEncoder().encode(privateKey));
  await chmod(file, 0o600);
  await writeFileAtomically(`${file}.pub`, new TextEncoder().encode(publicKey));
}
