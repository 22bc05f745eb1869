import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addAuditCommand } from '../commands/audit.js';
import { addBenchCommand } from '../commands/bench.js';
import { addDeployCommand } from '../commands/deploy.js';
import { addDoctorCommand } from '../commands/doctor.js';
import { addEncryptCommand } from '../commands/encrypt.js';
import { addInspectCommand } from '../commands/inspect.js';
import { addKeysCommand } from '../commands/keys.js';
import { addLoadTestCommand } from '../commands/load-test.js';
import { addOptimizeCommand } from '../commands/optimize.js';
import { addRunCommand } from '../commands/run.js';
import { addServeCommand } from '../commands/serve.js';
import { addSignCommand } from '../commands/sign.js';
import { addVerifyCommand } from '../commands/verify.js';
import { exitCodes } from './exit-codes.js';

const help = `
Every command takes --json for machines and --help for its options and examples.

Backends: --backend, else MODELWRIGHT_BACKEND=name[:device], else modelwright.config.{ts,mts,js,mjs,json}, else onnxruntime.

Exit status: ${exitCodes.success} success · ${exitCodes.failure} the run failed · ${exitCodes.usage} wrong usage or values · ${exitCodes.file} a file is missing or
broken · ${exitCodes.unavailable} no backend here can do it`;

const commands: readonly ((program: Command) => void)[] = [
  addInspectCommand,
  addRunCommand,
  addBenchCommand,
  addOptimizeCommand,
  addDeployCommand,
  addVerifyCommand,
  addServeCommand,
  addLoadTestCommand,
  addEncryptCommand,
  addSignCommand,
  addKeysCommand,
  addAuditCommand,
  addDoctorCommand,
];

/** The command line: one verb a file of `commands/`. */
export function createProgram(): Command {
  const program = new Command('modelwright')
    .description('Define, train, optimize and deploy neural networks: the command line.')
    .version(ownVersion(), '-v, --version')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', help);
  for (const add of commands) add(program);
  for (const command of everyCommand(program)) command.showHelpAfterError('(try --help)');
  return program;
}

/** A command with all below it: `keys create` stands below `keys`. */
export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

function ownVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
