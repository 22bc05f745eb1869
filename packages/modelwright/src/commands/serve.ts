import type { RunningServer } from '@modelwright/server/node';
import { type Command, Option } from 'commander';
import { collectNames, parseCount, parsePositive } from '../cli/option-values.js';
import { bold, type CommandResult, note, runCommand } from '../cli/output.js';
import { indent, renderTable } from '../cli/table.js';
import { toJson } from '../cli/to-json.js';
import { backendForCommand } from '../model/choose-backend.js';
import { parsePort } from '../serving/parse-port.js';
import { parseSeconds } from '../serving/parse-seconds.js';
import { parseSize } from '../serving/parse-size.js';
import { type ServeCommandOptions, serveOptionsFrom } from '../serving/serve-command-options.js';
import { withServingThreads } from '../serving/serving-threads.js';
import { untilStopped } from '../serving/until-stopped.js';

const examples = `
Examples:
  $ modelwright serve models                                  this machine only: http://127.0.0.1:8000
  $ modelwright serve digits.onnx --port 9000 --no-grpc
  $ modelwright keys create --name reporting
  $ modelwright serve models --host 0.0.0.0 --keys keys.json --tls-certificate server.pem --tls-key server.key
  $ modelwright serve models --keys keys.json --policy policy.json --audit audit
  $ modelwright serve models --model-key models.key --public-key signing.pem.pub
  $ modelwright serve models --isolate --memory-limit 4GB

A folder holds 'digits.onnx', bundles of \`modelwright deploy\`, or Triton's layout 'digits/1/model.onnx' with 'config.pbtxt' or 'config.json'.
What changes in it is taken over while the server runs. Without --keys or --policy nobody is asked who they are, and the server listens to
this machine only. SIGTERM and SIGINT let requests that run end.`;

/** `modelwright serve FOLDER`: models as a service. */
export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('serve a folder of models: Open Inference Protocol, OpenAI, TensorFlow Serving, gRPC')
    .argument('<models>', 'a folder of models, one .onnx file, or one bundle');
  addNetworkOptions(command);
  addSecurityOptions(command);
  addRunningOptions(command);
  command
    .option('--json', 'print where it listens and what it serves as one line of JSON')
    .addHelpText('after', examples)
    .action((models: string, options: ServeCommandOptions) => runCommand(options, () => run(models, options)));
}

function addNetworkOptions(command: Command): void {
  command
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-p, --port <number>', 'port of HTTP; 0 takes any', parsePort, 8000)
    .option('--grpc-port <number>', 'port of gRPC (default: the one after that of HTTP)', parsePort)
    .option('--no-grpc', 'no gRPC')
    .option('--allow-origin <origins>', 'pages that may ask from browsers, with commas between', collectNames)
    .option('--tls-certificate <file>', 'certificate chain, PEM; followed when it is renewed')
    .option('--tls-key <file>', 'its key, PEM (default: in the file of the certificate)')
    .option('--client-authorities <file>', 'authorities of client certificates, PEM')
    .option('--require-client-certificate', 'turn away clients without a certificate')
    .option('--max-body <size>', 'longest body of a request (default 64MiB)', parseSize)
    .option('--timeout <seconds>', 'longest time of a request (default 300)', parsePositive)
    .option('--drain <seconds>', 'time for requests that run when the server stops', parseSeconds, 30)
    .option('--retire <seconds>', 'time between saying "not ready" and stopping', parseSeconds, 0);
}

function addSecurityOptions(command: Command): void {
  command
    .option('--keys <file>', 'API keys, as `keys create` makes them')
    .option('--policy <file>', 'roles, permissions, limits and token issuers, JSON')
    .option('--usage <file>', 'keeps what is used up of limits when the server restarts')
    .option('--allow-everybody', 'listen publicly without asking anybody who they are')
    .option('--audit <folder>', 'keep an audit log there')
    .option('--audit-key <file>', 'Ed25519 key that signs the audit log, PEM')
    .option('--model-key <file>', 'key of encrypted models')
    .option('--model-key-env <variable>', 'variable with the key of encrypted models')
    .option('--public-key <files>', 'serve only models that one of these keys has signed', collectNames);
}

function addRunningOptions(command: Command): void {
  command
    .option('-b, --backend <name>', 'backend to run on')
    .option('--threads <count>', 'threads that compute a batch together (default: all cores but one)', parseCount)
    .option('--isolate', 'run every model in a process of its own')
    .option('--workers <count>', 'run every model in so many threads', parseCount)
    .option('--memory-limit <size>', 'unload models that were not used for longest above it', parseSize)
    .option('--strict-readiness', 'not ready as long as one model is not (default: the others serve)')
    .option('--explicit', 'load models only when asked by the API')
    .option('--poll <milliseconds>', 'how often the folder is looked at', parseCount, 2000);
  command.addOption(
    new Option('--log <level>', 'what is logged, as JSON on standard error')
      .choices(['silent', 'error', 'warn', 'info', 'debug'])
      .default('warn'),
  );
}

async function run(models: string, options: ServeCommandOptions): Promise<CommandResult> {
  const stopped = untilStopped();
  // Other commands need not wait for the server's packages.
  const { createLogger, serve } = await import('@modelwright/server/node');
  const { backend, notes } = await backendForCommand(options.backend, (configuration) =>
    withServingThreads(configuration, options.threads),
  );
  for (const text of notes) note(text);
  try {
    const logger = createLogger({ level: options.log, destination: process.stderr });
    const server = await serve({ ...(await serveOptionsFrom(models, options, backend)), logger });
    announce(server, options);
    const signal = await stopped;
    if (!options.json) note(`${signal}: no more requests; waiting for those that run`);
    await server.close(options.drain * 1000);
    return { data: { stopped: signal }, text: () => 'stopped' };
  } finally {
    await backend.dispose();
  }
}

/** What is served, from where: at once, since the command goes on. */
function announce(server: RunningServer, { json }: ServeCommandOptions): void {
  const { url, grpcAddress } = server;
  const models = server.hub.overview();
  if (json) {
    process.stdout.write(`${toJson({ url, grpc: grpcAddress ?? null, models }).replaceAll(/\n\s*/g, ' ')}\n`);
    return;
  }
  const rows = models.map(({ name, version, state, reason }) => [name, version, state, reason]);
  const table = renderTable(
    ['model', 'version', 'state', ''].map((heading) => ({ heading })),
    rows,
  );
  const grpc = grpcAddress === undefined ? '' : ` · gRPC ${grpcAddress}`;
  process.stdout.write(`${bold(url)}${grpc} · ${url}/openapi.json\n${indent(table)}\n`);
}
