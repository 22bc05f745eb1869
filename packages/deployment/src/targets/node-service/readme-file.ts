import { type ServicePlan, serviceName } from './service-files.js';

/** How the service is started, asked, guarded and changed. */
export function readmeFile(plan: ServicePlan): string {
  const { manifest, port } = plan;
  const name = serviceName(manifest);
  const url = `http://127.0.0.1:${port}`;
  return `# ${manifest.name} as a service

${manifest.description ?? `Serves the model \`${manifest.name}\` over HTTP.`} Made by ${manifest.generator}; licence ${manifest.licence}.

\`\`\`bash
npm install
npm start
\`\`\`

${exampleRequest(plan, url)}
\`${url}/openapi.json\` describes every endpoint, \`${url}/metrics\` has numbers for Prometheus, and the page \`${url}/\` lets you try
the model. \`/livez\`, \`/readyz\` and \`/startupz\` are for probes; \`npm run health\` asks \`/readyz\`.

## Letting others in

Without keys the server listens to this machine only. \`npm run keys -- NAME\` makes a key and keeps its hash in \`keys.json\`:

\`\`\`bash
KEYS_FILE=keys.json HOST=0.0.0.0 npm start
curl -H "authorization: Bearer $KEY" ${url}/v2/models/${manifest.name}
\`\`\`

| variable | what |
|---|---|
| \`HOST\`, \`PORT\`, \`GRPC_PORT\` | where it listens; no gRPC without its port |
| \`KEYS_FILE\`, \`POLICY_FILE\` | who may do what |
| \`TLS_CERTIFICATE\`, \`TLS_KEY\` | files (PEM); renewed ones are taken over |
| \`MODEL_KEY_FILE\`, \`PUBLIC_KEY_FILE\` | opens encrypted models; only signed ones are served |
| \`AUDIT_FOLDER\`, \`LOG_LEVEL\` | keeps a log of who used what; what is written to standard error (default \`warn\`) |
| \`MODELS\`, \`POLL_MILLISECONDS\` | folder of models, and how often it is looked at |
| \`DEVICE\`, \`THREADS\`, \`MEMORY_LIMIT_BYTES\` | \`cpu\`, \`cuda\`, …; threads that compute a batch together (all cores but one); bound on loaded models |
| \`RETIRE_MILLISECONDS\`, \`DRAIN_MILLISECONDS\` | at SIGTERM: how long it still takes requests, and how long those that run may take |

## In a container

\`\`\`bash
docker build -t ${name} .
docker run -p ${port}:${port} -v ./keys.json:/run/secrets/keys.json:ro ${name}
\`\`\`

## With systemd

Copy this folder to \`/opt/${name}\`, then \`cp ${name}.service /etc/systemd/system/ && systemctl enable --now ${name}\`.

## A new version

Put its bundle into \`models/${manifest.name}/${Number(manifest.version) + 1}\`. The server loads it, has it give its known answers, and only then lets it
answer. \`npm run verify\` does the same by hand. A model whose files are not those of its manifest is not served.
`;
}

function exampleRequest({ manifest }: ServicePlan, url: string): string {
  const specs = Object.values(manifest.processing?.inputs ?? {});
  const ask = (type: string, data: string): string => `\`\`\`bash
curl ${url}/v2/models/${manifest.name}/predict -H 'content-type: ${type}' --data${data}
\`\`\`
`;
  if (specs.length === 1 && specs[0]?.kind === 'image') return ask('image/png', '-binary @picture.png');
  if (specs.length === 1 && specs[0]?.kind === 'text') return ask('text/plain', " 'some text'");
  return `\`\`\`bash
curl ${url}/v2/models/${manifest.name}
\`\`\`
`;
}
