/**
 * What the server costs over the model itself: the time from a request's first byte to its answer's last one, one at a time, less
 * what the model alone takes in the same process. Both in turns.
 *
 * usage: overhead [--requests 500] [--rounds 10] [--out overhead.local.json]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { quantile } from '../measurement.js';
import { formatColumns } from '../table.js';
import { digitRequest, type RequestForm } from './digit-request.js';
import { type OneConnection, openConnection } from './one-connection.js';
import { startServer } from './start-server.js';

/** What the server may cost at most, in milliseconds, with the tensor in binary. */
const mostOverhead = 1;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '10' },
    out: { type: 'string' },
  },
});
const requests = Number(values.requests);
const server = await startServer({ models: { digits: {} } });
const url = `${server.url}/v2/models/digits`;
const metadata = (await (await fetch(url)).json()) as { inputs: [{ name: string }] };
const forms: readonly RequestForm[] = ['binary', 'json'];
const connections = new Map<RequestForm, OneConnection>();
for (const form of forms)
  connections.set(form, await openConnection(`${url}/infer`, digitRequest(form, metadata.inputs[0].name)));

const raw: number[] = [];
const served = new Map(forms.map((form): [RequestForm, number[]] => [form, []]));
for (let round = -2; round < Number(values.rounds); round++) {
  const alone = await server.raw(requests);
  if (round >= 0) raw.push(alone);
  for (const [form, connection] of connections) {
    const times: number[] = [];
    for (let index = 0; index < requests; index++) times.push(await connection.ask());
    if (round >= 0) served.get(form)?.push(quantile(times, 0.5));
  }
}
for (const connection of connections.values()) connection.close();
await server.close();

const alone = quantile(raw, 0.5);
const overheads = forms.map((form) => {
  const differences = (served.get(form) ?? []).map((time, round) => time - (raw[round] as number));
  return { form, p50: quantile(served.get(form) ?? [], 0.5), overhead: quantile(differences, 0.5) };
});
const rows = overheads.map(({ form, p50, overhead }) => [form, p50.toFixed(3), alone.toFixed(3), overhead.toFixed(3)]);
const isMet = (overheads[0]?.overhead ?? Number.NaN) < mostOverhead;
process.stdout.write(
  `${formatColumns([['tensor as', 'p50 ms', 'model alone ms', 'overhead ms'], ...rows])}\n\n` +
    `overhead of the server: wanted below ${mostOverhead} ms: ${isMet ? 'met' : 'MISSED'}\n`,
);
if (values.out !== undefined)
  writeFileSync(values.out, `${JSON.stringify({ ...values, raw, overheads, served: [...served] }, undefined, 2)}\n`);
process.exit(isMet ? 0 : 1);
