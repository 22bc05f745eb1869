import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChannelCredentials, type Client, credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAccessControl } from '../access/access-control.js';
import type { Hub } from '../contract/hub.js';
import { startService } from '../open-inference/service.cases.js';
import { type Certificates, openCertificates } from '../serve/certificates.js';
import { createTestCertificate } from '../serve/test-certificate.cases.js';
import { type GrpcServer, serveGrpc } from './serve-grpc.js';

const authority = createTestCertificate('clients');
const serverCertificate = createTestCertificate('server');
const proto = fileURLToPath(new URL('../../proto/open-inference.proto', import.meta.url));
let folder: string;
let certificates: Certificates;
let hub: Hub;
let server: GrpcServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grpc-tls-'));
  const files = { certificate: join(folder, 'server.pem'), clientAuthorities: join(folder, 'clients.pem') };
  await writeFile(files.certificate, serverCertificate.certificate + serverCertificate.key);
  await writeFile(files.clientAuthorities, authority.certificate);
  certificates = openCertificates(files);
  const access = createAccessControl({ policy: { certificates: [{ subject: 'CN=batch', roles: ['user'] }] } });
  ({ hub } = await startService([], { access }));
  server = await serveGrpc({ hub, access, certificates, port: 0 });
});

afterAll(async () => {
  await server.close(0);
  await hub.dispose();
  certificates.close();
  await rm(folder, { recursive: true });
});

/** Asks for the server's metadata, which anybody may who is somebody. */
async function ask(secrets: ChannelCredentials): Promise<unknown> {
  const { inference } = loadPackageDefinition(loadSync(proto)) as never as {
    inference: { GRPCInferenceService: new (...parts: unknown[]) => Client };
  };
  const client = new inference.GRPCInferenceService(server.address, secrets, {
    // A certificate is not asked for by the name of a number.
    'grpc.ssl_target_name_override': 'localhost',
  });
  const call = (client as never as Record<string, (...parts: unknown[]) => void>)['ServerMetadata'];
  const deadline = Date.now() + 5000;
  try {
    return await new Promise((resolve, reject) => {
      call?.call(client, {}, { deadline }, (error: unknown, answer: unknown) =>
        error ? reject(error) : resolve(answer),
      );
    });
  } finally {
    client.close();
  }
}

const trusted = Buffer.from(serverCertificate.certificate);
const secretsOf = ({ key, certificate }: { readonly key: string; readonly certificate: string }): ChannelCredentials =>
  credentials.createSsl(trusted, Buffer.from(key), Buffer.from(certificate));

it('knows a client by a certificate that its authority vouches for', async () => {
  expect(await ask(secretsOf(createTestCertificate('batch', authority)))).toMatchObject({ name: 'modelwright' });
});

it.each([
  ['no certificate', () => credentials.createSsl(trusted)],
  ['one that it made itself', () => secretsOf(createTestCertificate('batch'))],
  ['one of somebody else', () => secretsOf(createTestCertificate('other', authority))],
])('asks who it is a client with %s', async (_, secrets) => {
  await expect(ask(secrets())).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
});

it('speaks to nobody in the clear', async () => {
  await expect(ask(credentials.createInsecure())).rejects.toMatchObject({ code: status.UNAVAILABLE });
});
