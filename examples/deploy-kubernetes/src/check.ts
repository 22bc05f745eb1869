/** Does by hand what Kubernetes does: starts what the container runs, asks the probes, asks about a sample, and stops it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { askOverHttp, checkAnswers } from '@modelwright/example-deploy-models';
import { parse } from 'yaml';

interface Probe {
  readonly httpGet: { readonly path: string };
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly startupProbe: Probe;
          readonly readinessProbe: Probe;
          readonly livenessProbe: Probe;
        }[];
      };
    };
  };
}

await checkAnswers(async (model, sample) => {
  const folder = `output/${model.name}`;
  const service = spawn('node', ['server.js'], {
    cwd: folder,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: service.stdout }), 'line')) as [string];
  const { url } = JSON.parse(line) as { readonly url: string };
  const deployment = parse(await readFile(`${folder}/kubernetes/deployment.yaml`, 'utf8')) as Deployment;
  for (const { startupProbe, readinessProbe, livenessProbe } of deployment.spec.template.spec.containers) {
    const paths = [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet.path);
    const statuses = await Promise.all(paths.map(async (path) => (await fetch(url + path)).status));
    console.log(`${model.name}: ${paths.map((path, index) => `${path} ${statuses[index]}`).join(', ')}`);
    if (statuses.some((status) => status !== 200)) process.exitCode = 1;
  }
  const answer = await askOverHttp(() => url)(model, sample);
  service.kill('SIGTERM');
  await once(service, 'exit');
  return answer;
});
