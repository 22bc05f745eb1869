import type { ManifestDraft } from '../target.js';

/** What the files of a service are written from. */
export interface ServicePlan {
  readonly manifest: ManifestDraft;
  readonly port: number;
  /** Versions of the packages it depends on. */
  readonly dependencies: { readonly [name: string]: string };
}

/** The server: everything that differs between places is a variable of the environment. */
export const serverSource: string = `import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createBackend } from '@modelwright/backend-onnxruntime';
import { createVerifier } from '@modelwright/deployment';
import { keyFileProvider } from '@modelwright/deployment/node';
import { createLogger, serve } from '@modelwright/server/node';

const { env } = process;
const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const port = Number(env.PORT ?? defaultPort);

// One core is left to whoever reads requests and writes answers.
const threads = Number(env.THREADS ?? Math.max(1, availableParallelism() - 1));
const backend = await createBackend({ device: env.DEVICE ?? 'cpu', threads });
const server = await serve({
  models: env.MODELS ?? path('./models'),
  backend,
  ownsProcess: true,
  host: env.HOST ?? '127.0.0.1',
  port,
  // What changes in the folder of models is taken over while the server runs.
  control: { pollMilliseconds: Number(env.POLL_MILLISECONDS ?? 5000) },
  ...(env.GRPC_PORT && { grpcPort: Number(env.GRPC_PORT) }),
  // Without keys or a policy it listens to this machine only.
  ...((env.KEYS_FILE || env.POLICY_FILE) && {
    access: {
      ...(env.KEYS_FILE && { keys: env.KEYS_FILE }),
      ...(env.POLICY_FILE && { policy: env.POLICY_FILE }),
    },
  }),
  ...(env.TLS_CERTIFICATE && {
    tls: { certificate: env.TLS_CERTIFICATE, ...(env.TLS_KEY && { key: env.TLS_KEY }) },
  }),
  // Encrypted models are opened with this key; with a public key only what it has signed is served.
  ...(env.MODEL_KEY_FILE && { modelKeys: await keyFileProvider(env.MODEL_KEY_FILE) }),
  ...(env.PUBLIC_KEY_FILE && { trustedSigners: [await createVerifier(await readFile(env.PUBLIC_KEY_FILE, 'utf8'))] }),
  ...(env.AUDIT_FOLDER && { audit: { folder: env.AUDIT_FOLDER } }),
  ...(env.MEMORY_LIMIT_BYTES && { memoryLimitBytes: Number(env.MEMORY_LIMIT_BYTES) }),
  logger: createLogger({ level: env.LOG_LEVEL ?? 'warn', destination: process.stderr }),
  // Balancers need a moment to see that it is not ready any more.
  retireMilliseconds: Number(env.RETIRE_MILLISECONDS ?? 0),
});
console.log(JSON.stringify({ url: server.url, grpc: server.grpcAddress, models: server.hub.overview() }));

let isStopping = false;
const stop = async (signal) => {
  // Who asks twice does not want to wait.
  if (isStopping) process.exit(1);
  isStopping = true;
  console.log(JSON.stringify({ stopping: signal }));
  await server.close(Number(env.DRAIN_MILLISECONDS ?? 30_000));
  await backend.dispose();
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
`;

/** `server.js` with its default port. */
export function serverFile({ port }: ServicePlan): string {
  return serverSource.replace('defaultPort', String(port));
}

/** Asks the server whether its models are ready: for containers and other watchers. Exits with 1 if they are not. */
export function healthCheckFile({ port }: ServicePlan): string {
  return `import { get as getPlainly } from 'node:http';
import { get as getSecurely } from 'node:https';

const { HOST = '127.0.0.1', PORT = '${port}', TLS_CERTIFICATE } = process.env;
const host = ['0.0.0.0', '::'].includes(HOST) ? '127.0.0.1' : HOST;
// The certificate is for the name that clients use, not for this machine's own address.
const [get, options] = TLS_CERTIFICATE ? [getSecurely, { rejectUnauthorized: false }] : [getPlainly, {}];

const request = get({ host, port: Number(PORT), path: '/readyz', timeout: 4000, ...options }, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error('no answer within 4 seconds')));
request.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
`;
}

/** The project, for npm. */
export function packageFile({ manifest, dependencies }: ServicePlan): string {
  const project = {
    name: serviceName(manifest),
    version: `${manifest.version}.0.0`,
    private: true,
    type: 'module',
    license: manifest.licence,
    ...(manifest.description === undefined ? {} : { description: manifest.description }),
    engines: { node: '>=20' },
    scripts: {
      start: 'node server.js',
      health: 'node healthcheck.js',
      keys: 'modelwright keys create --file keys.json --name',
      verify: 'modelwright verify .',
    },
    dependencies,
  };
  return `${JSON.stringify(project, null, 2)}\n`;
}

/** A container without build tools or root; keys come as a secret, never with the image. */
export function dockerFile({ port }: ServicePlan): string {
  return `FROM node:22-slim AS packages
WORKDIR /service
COPY package.json package-lock.json* ./
RUN npm install --omit=dev --no-audit --no-fund

FROM node:22-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=${port} KEYS_FILE=/run/secrets/keys.json
WORKDIR /service
COPY --from=packages /service/node_modules ./node_modules
COPY . .
USER node
EXPOSE ${port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "healthcheck.js"]
CMD ["node", "server.js"]
`;
}

/** What does not belong into the image: secrets before all. */
export const dockerIgnore: string = `node_modules
keys.json
*.pem
*.key
.env
audit
Dockerfile
`;

/** A unit for systemd, locked away from the rest of the machine. */
export function systemdUnit({ manifest, port }: ServicePlan): string {
  const name = serviceName(manifest);
  return `[Unit]
Description=Model ${manifest.name}
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
WorkingDirectory=/opt/${name}
ExecStart=/usr/bin/node server.js
Environment=NODE_ENV=production HOST=127.0.0.1 PORT=${port} AUDIT_FOLDER=/var/lib/${name}/audit
# Further variables, KEYS_FILE and HOST for one: systemctl edit ${name}, or this file.
EnvironmentFile=-/etc/${name}.env
Restart=on-failure
RestartSec=1
KillSignal=SIGTERM
TimeoutStopSec=45
LimitNOFILE=65536

DynamicUser=yes
StateDirectory=${name}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
CapabilityBoundingSet=
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=multi-user.target
`;
}

/** `digits-service`: what npm, systemd and containers take. */
export function serviceName({ name }: ManifestDraft): string {
  return `${name.toLowerCase().replace(/[^a-z0-9-]+/g, '-')}-service`;
}
