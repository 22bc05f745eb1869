/** Certificates for the tests of TLS, made on the spot so that none expires in the repository. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate and its key, PEM. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly name: string;
  readonly privateKey: KeyObject;
}

const derOf = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const { length } = body;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), body]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => derOf(0x30, ...parts);
const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
const time = (date: Date): Buffer =>
  derOf(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  );
const commonName = (name: string): Buffer =>
  sequence(derOf(0x31, sequence(derOf(0x06, bytes(0x55, 0x04, 0x03)), derOf(0x0c, Buffer.from(name)))));
const ecdsaWithSha256 = sequence(derOf(0x06, bytes(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)));

/** An X.509 certificate of a P-256 key for 127.0.0.1, good for a day; by itself or by `authority`. */
export function createTestCertificate(name: string, authority?: TestCertificate): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const day = 86_400_000;
  const addresses = sequence(derOf(0x82, Buffer.from('localhost')), derOf(0x87, bytes(127, 0, 0, 1)));
  const alternativeNames = sequence(derOf(0x06, bytes(0x55, 0x1d, 0x11)), derOf(0x04, addresses));
  const basicConstraints = sequence(
    derOf(0x06, bytes(0x55, 0x1d, 0x13)),
    derOf(0x04, authority === undefined ? sequence(bytes(0x01, 0x01, 0xff)) : sequence()),
  );
  const content = sequence(
    derOf(0xa0, bytes(0x02, 0x01, 0x02)),
    derOf(0x02, bytes(1), randomBytes(8)),
    ecdsaWithSha256,
    commonName(authority?.name ?? name),
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    commonName(name),
    createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'der' }),
    derOf(0xa3, sequence(alternativeNames, basicConstraints)),
  );
  const signature = sign('sha256', content, authority?.privateKey ?? privateKey);
  const whole = sequence(content, ecdsaWithSha256, derOf(0x03, bytes(0), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  const certificate = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, name, privateKey };
}
