import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Clients of one bad kind. */
export interface Assault {
  readonly name: string;
  readonly clients: number;
  run(url: URL): Promise<{ readonly outcome: string; readonly isWell: boolean }>;
}

/** One connection and what has become of it. */
interface Client {
  readonly socket: Socket;
  received: string;
  /** Resolves when the connection is closed, however. */
  readonly closed: Promise<void>;
  isClosed: boolean;
}

const head = (...lines: readonly string[]): string =>
  ['POST /v2/models/linear/infer HTTP/1.1', 'host: localhost', ...lines, '', ''].join('\r\n');

function open(url: URL): Promise<Client> {
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    const client: Client = { socket, received: '', closed, isClosed: false };
    void closed.then(() => {
      client.isClosed = true;
      resolve(client);
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (client.received.length < 1000) client.received += chunk.toString('latin1');
    });
    socket.once('connect', () => resolve(client));
  });
}

async function openMany(url: URL, count: number): Promise<readonly Client[]> {
  const clients: Client[] = [];
  // As fast as the listener takes them, and no faster.
  while (clients.length < count) {
    const batch = Math.min(250, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: batch }, () => open(url)))));
  }
  return clients;
}

/** Waits until the server has closed all, for at most so long. */
async function closedBy(
  clients: readonly Client[],
  milliseconds: number,
): Promise<{ readonly outcome: string; readonly isWell: boolean }> {
  const start = performance.now();
  await Promise.race([Promise.all(clients.map(({ closed }) => closed)), sleep(milliseconds)]);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const left = clients.filter(({ isClosed }) => !isClosed).length;
  for (const { socket } of clients) socket.destroy();
  return {
    outcome: left === 0 ? `cut off within ${seconds} s` : `${left} still there after ${seconds} s`,
    isWell: left === 0,
  };
}

/** Sends a byte now and then for as long as the server lets it. */
async function drip(client: Client): Promise<void> {
  while (!client.isClosed) {
    client.socket.write(' ');
    await sleep(250);
  }
}

const slow = (name: string, start: string): Assault => ({
  name,
  clients: 100,
  async run(url) {
    const clients = await openMany(url, this.clients);
    for (const client of clients) {
      client.socket.write(start);
      void drip(client);
    }
    return closedBy(clients, 25_000);
  },
});

const halfBodies: Assault = {
  name: 'send half a body and wait',
  clients: 200,
  async run(url) {
    const clients = await openMany(url, this.clients);
    for (const { socket } of clients) socket.write(`${head('content-length: 1000')}${' '.repeat(500)}`);
    return closedBy(clients, 25_000);
  },
};

const leavers: Assault = {
  name: 'send half a body and go',
  clients: 500,
  async run(url) {
    const clients = await openMany(url, this.clients);
    for (const { socket } of clients) socket.write(`${head('content-length: 1000')}${' '.repeat(500)}`);
    await sleep(300);
    for (const { socket } of clients) socket.destroy();
    return { outcome: 'left', isWell: true };
  },
};

const idle = (count: number): Assault => ({
  name: 'connect and say nothing',
  clients: count,
  async run(url) {
    const clients = await openMany(url, count);
    const held = clients.filter(({ isClosed }) => !isClosed).length;
    const result = await closedBy(clients, 40_000);
    return { ...result, outcome: `${held} held, ${result.outcome}` };
  },
});

/** Sends a body until the server has had enough of it. */
async function pour(
  url: URL,
  start: string,
  wrap: (chunk: Buffer) => Buffer,
): Promise<{ readonly outcome: string; readonly isWell: boolean }> {
  const client = await open(url);
  const chunk = wrap(Buffer.alloc(2 ** 16, 32));
  client.socket.write(start);
  let sent = 0;
  while (!client.isClosed && sent < 2 ** 30) {
    const isTaken = client.socket.write(chunk);
    sent += chunk.length;
    if (!isTaken)
      await Promise.race([new Promise((done) => client.socket.once('drain', done)), client.closed, sleep(12_000)]);
    else await sleep(0);
    if (client.received !== '') break;
  }
  const status = /^HTTP\/1\.1 (\d+)/.exec(client.received)?.[1] ?? 'none';
  const mebibytes = (sent / 2 ** 20).toFixed(1);
  client.socket.destroy();
  return { outcome: `status ${status} after ${mebibytes} MiB`, isWell: status === '413' && sent < 2 ** 26 };
}

const giant: Assault = {
  name: 'announce a body of 1 GB',
  clients: 1,
  run: (url) => pour(url, head('content-length: 1000000000'), (chunk) => chunk),
};

const endless: Assault = {
  name: 'send 1 GB in chunks',
  clients: 1,
  run: (url) =>
    pour(url, head('transfer-encoding: chunked'), (chunk) =>
      Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    ),
};

/** Asks for large answers and reads none of them. */
const deaf: Assault = {
  name: 'never read their answer',
  clients: 50,
  async run(url) {
    const rows = 200_000;
    const inputs = ['long INT64', 'half FP16', 'flag BOOL', 'byte UINT8', 'text BYTES'].map((each) => {
      const [name, datatype] = each.split(' ');
      const count = name === 'byte' ? rows : 0;
      return { name, datatype, shape: [count], parameters: { binary_data_size: count } };
    });
    const json = JSON.stringify({ inputs, outputs: [{ name: 'byte_out' }] });
    const start = head(
      `content-length: ${json.length + rows}`,
      `inference-header-content-length: ${json.length}`,
    ).replace('linear', 'echo');
    const clients = await openMany(url, this.clients);
    for (const { socket } of clients) {
      socket.pause();
      socket.write(start + json);
      socket.write(Buffer.alloc(rows, 200));
    }
    await sleep(3000);
    for (const { socket } of clients) socket.destroy();
    return { outcome: 'left after 3 s', isWell: true };
  },
};

/** All kinds, with so many idle connections. */
export function assaults(idleCount: number): readonly Assault[] {
  return [
    slow('send a body byte by byte', head('content-length: 1000')),
    slow('send a head byte by byte', 'POST /v2/models/linear/infer HTTP/1.1\r\nx:'),
    halfBodies,
    leavers,
    idle(idleCount),
    giant,
    endless,
    deaf,
  ];
}
