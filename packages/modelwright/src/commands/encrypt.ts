import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ModelwrightError } from '@modelwright/core';
import { decryptFile, encryptFile, isEncrypted, type KeyProvider, rewrapKey } from '@modelwright/deployment';
import { createKeyFile, environmentKeyProvider, keyFileProvider } from '@modelwright/deployment/node';
import { writeFileAtomically } from '@modelwright/training/node';
import type { Command } from 'commander';
import { formatBytes } from '../cli/format.js';
import { type CommandResult, type OutputOptions, runCommand } from '../cli/output.js';

interface EncryptCommandOptions extends OutputOptions {
  readonly output?: string;
  readonly key?: string;
  readonly keyEnv?: string;
  readonly generateKey?: boolean;
  readonly decrypt?: boolean;
  readonly rewrap?: string;
}

const examples = `
Examples:
  $ modelwright encrypt digits.onnx --key models.key --generate-key     makes the key, writes digits.onnx.enc
  $ modelwright encrypt digits.onnx --key models.key -o models/digits.onnx.enc
  $ MODEL_KEY=$(openssl rand -hex 32) modelwright encrypt digits.onnx --key-env MODEL_KEY
  $ modelwright encrypt digits.onnx.enc --key old.key --rewrap new.key  another key; what is encrypted stays as it is
  $ modelwright encrypt digits.onnx.enc --key models.key --decrypt -o digits.onnx

AES-256-GCM under a key of the file's own, which the given key wraps. \`modelwright serve --model-key models.key\` decrypts in memory only.
A key file holds 64 hexadecimal digits. Keep it away from the models.`;

/** `modelwright encrypt FILE`: a model that can be read with its key only. */
export function addEncryptCommand(program: Command): void {
  program
    .command('encrypt')
    .description('encrypt a model at rest, change its key, or decrypt it')
    .argument('<file>', 'the file')
    .option('-o, --output <path>', 'where the result goes (default: <file>.enc; with --rewrap the file itself)')
    .option('-k, --key <file>', 'the file with the key')
    .option('--key-env <variable>', 'the variable with the key')
    .option('--generate-key', 'make the key first; the file must not be there')
    .option('--decrypt', 'write the plain file')
    .option('--rewrap <file>', 'the file with the key that is to open it from now on')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', examples)
    .action((file: string, options: EncryptCommandOptions) => runCommand(options, () => encrypt(file, options)));
}

async function encrypt(file: string, options: EncryptCommandOptions): Promise<CommandResult> {
  if (options.generateKey && options.key !== undefined) await createKeyFile(options.key);
  const provider = await providerFrom(options);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new ModelwrightError('file-unreadable', `'${file}' cannot be read`, { file, cause });
  });
  if (isEncrypted(bytes) === (options.decrypt !== true && options.rewrap === undefined)) {
    const state = isEncrypted(bytes) ? 'is encrypted already' : 'is not encrypted';
    throw new ModelwrightError('invalid-data', `'${file}' ${state}`, { file });
  }
  const { result, output, what } = await transformed(file, bytes, provider, options);
  await writeFileAtomically(output, result);
  const data = { file, output, sizeBytes: result.length, what };
  return { data, text: () => `${what} '${file}' → '${output}', ${formatBytes(result.length)}` };
}

async function transformed(
  file: string,
  bytes: Uint8Array,
  provider: KeyProvider,
  { output, decrypt, rewrap }: EncryptCommandOptions,
): Promise<{ readonly result: Uint8Array; readonly output: string; readonly what: string }> {
  if (rewrap !== undefined) {
    const result = await rewrapKey(bytes, provider, await keyFileProvider(rewrap));
    return { result, output: output ?? file, what: 'gave a new key to' };
  }
  if (decrypt) {
    const plainName = output ?? file.replace(/\.enc$/, '');
    if (plainName === file)
      throw new ModelwrightError('invalid-argument', `say with -o where '${file}' goes`, { file });
    return { result: await decryptFile(bytes, provider), output: plainName, what: 'decrypted' };
  }
  const result = await encryptFile(bytes, provider, { name: basename(file) });
  return { result, output: output ?? `${file}.enc`, what: 'encrypted' };
}

function providerFrom({ key, keyEnv }: EncryptCommandOptions): Promise<KeyProvider> {
  if (key !== undefined && keyEnv === undefined) return keyFileProvider(key);
  if (keyEnv !== undefined && key === undefined) return environmentKeyProvider(keyEnv);
  throw new ModelwrightError('invalid-argument', 'give the key: either --key FILE or --key-env VARIABLE', {});
}
