import { TLSSocket } from 'node:tls';
import type { Peer } from '../contract/access.js';

/** What TLS has verified of the other side; nothing of a certificate that no authority vouches for. */
export function peerOf(bindings: unknown): Peer | undefined {
  const socket = (bindings as { readonly incoming?: { readonly socket?: unknown } } | undefined)?.incoming?.socket;
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject, fingerprint256 } = socket.getPeerCertificate();
  if (fingerprint256 === undefined || subject === undefined) return undefined;
  return { certificate: { subject: subjectText(subject), fingerprint256 } };
}

/** `CN=reporting,O=Example`, in the order of the certificate. */
function subjectText(subject: object): string {
  return Object.entries(subject)
    .flatMap(([key, value]) => [value].flat().map((each) => `${key}=${String(each)}`))
    .join(',');
}
