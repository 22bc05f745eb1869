import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyAuditLog } from '@modelwright/server/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorkplace, isBuilt, type Workplace } from '../../test/command-line.js';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.dispose());

interface Announcement {
  readonly url: string;
  readonly grpc: string;
  readonly models: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
}

test('a folder is served with keys, policy, audit log, metrics and gRPC, and stops when it is told', async () => {
  const created = await workplace.modelwright(['keys', 'create', '--name', 'test', '--role', 'admin']);
  const authorization = `Bearer ${created.stdout.trim()}`;
  await writeFile(
    join(workplace.folder, 'policy.json'),
    JSON.stringify({ limits: [{ rate: { requests: 50, perSeconds: 60 } }] }),
  );
  await writeFile(join(workplace.folder, 'broken.onnx'), 'no model');
  const secured = ['--keys', 'keys.json', '--policy', 'policy.json', '--audit', 'audit'];
  const command = [
    'serve',
    '.',
    '--port',
    '0',
    '--json',
    '--drain',
    '5',
    ...secured,
    ...(isBuilt ? ['--isolate'] : []),
  ];
  const server = await workplace.start(command);
  const { url, grpc, models } = JSON.parse(server.firstLine) as Announcement;
  expect(models).toEqual([
    { name: 'broken', version: '1', state: 'UNAVAILABLE', reason: expect.stringContaining('invalid-model') },
    { name: 'tiny', version: '1', state: 'READY', reason: '' },
  ]);
  expect(grpc).toMatch(/^127\.0\.0\.1:\d+$/);

  const data = Array(64).fill(0.5);
  const body = JSON.stringify({ inputs: [{ name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data }] });
  const ask = (headers: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(`${url}/v2/models/tiny/infer`, { method: 'POST', body, headers });
  expect((await ask({})).status).toBe(401);
  const answer = await ask({ authorization });
  expect(await answer.json()).toMatchObject({ model_name: 'tiny', outputs: [{ name: 'scores', shape: [1, 3] }] });
  expect(answer.headers.get('x-ratelimit-remaining')).toBe('49');
  const metrics = await (await fetch(`${url}/metrics`, { headers: { authorization } })).text();
  expect(metrics).toMatch(/nv_inference_request_success\{model="tiny",version="1"\} 1\b/);

  const { exitCode, stderr } = await server.stop('SIGTERM');
  expect(exitCode).toBe(0);
  expect(stderr).toContain('invalid-model');
  expect(stderr).not.toContain(created.stdout.trim());
  expect(await verifyAuditLog(join(workplace.folder, 'audit'))).toMatchObject({ problems: [] });
  const lines = await readFile(join(workplace.folder, 'audit', 'audit-000000000001.jsonl'), 'utf8');
  expect(lines).toContain('"outcome":"success"');
});

test('an address where strangers could ask is refused at once', async () => {
  const refused = await workplace.modelwright(['serve', '.', '--host', '0.0.0.0', '--port', '0']);
  expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('modelwright keys create')]);
});
