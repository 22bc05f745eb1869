import { connect, type Socket } from 'node:net';
import type { DigitRequest } from './digit-request.js';

/** A client with one connection and as little code as can be, so that what is measured is the server. */
export interface OneConnection {
  /** Sends the request; resolves with the milliseconds until the last byte of the answer, which has to be `200`. */
  ask(): Promise<number>;
  close(): void;
}

/** Opens a connection and lays out the request once. */
export async function openConnection(url: string, request: DigitRequest): Promise<OneConnection> {
  const { hostname, port, pathname, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const fields = Object.entries({ host, ...request.headers, 'content-length': String(request.body.length) });
  const head = `${request.method} ${pathname} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const message = Buffer.concat([Buffer.from(head), request.body]);
  return {
    async ask() {
      const start = performance.now();
      socket.write(message);
      await answer(socket);
      return performance.now() - start;
    },
    close: () => void socket.destroy(),
  };
}

function answer(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const take = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const headLength = received.indexOf('\r\n\r\n') + 4;
      if (headLength < 4) return;
      const head = received.toString('latin1', 0, headLength);
      const bodyLength = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1]);
      if (received.length < headLength + bodyLength) return;
      socket.off('data', take);
      if (head.startsWith('HTTP/1.1 200 ')) resolve();
      else reject(new RangeError(received.toString()));
    };
    socket.on('data', take);
  });
}
