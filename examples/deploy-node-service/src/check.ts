/** Starts the two services as processes, asks each about a sample, and stops it as an orchestrator would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { askOverHttp, checkAnswers } from '@modelwright/example-deploy-models';

await checkAnswers(async (model, sample) => {
  const service = spawn('node', ['server.js'], {
    cwd: `output/${model.name}`,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: service.stdout }), 'line')) as [string];
  const { url } = JSON.parse(line) as { readonly url: string };
  const answer = await askOverHttp(() => url)(model, sample);
  service.kill('SIGTERM');
  const [code] = await once(service, 'exit');
  if (code !== 0) throw new Error(`the service ended with ${code}`);
  return answer;
});
