import { ModelwrightError } from '@modelwright/core';
import type { AccessControl, Peer, Principal } from '../contract/access.js';
import type { AccessPolicy, CertificatePolicy } from './access-policy.js';
import { idOfKey, type KeyRecord } from './api-key.js';
import { KeyRing, type TextHash } from './key-ring.js';
import { type LimitStore, MemoryLimitStore } from './limit-store.js';
import { Limiter } from './limiter.js';
import { compilePermissions } from './permissions.js';
import { checkPolicy } from './read-policy.js';
import { TokenVerifier } from './token-verifier.js';

/** What access control is made of. */
export interface AccessControlOptions {
  readonly keys?: readonly KeyRecord[];
  readonly policy?: AccessPolicy;
  /** Key sets (JWKS) by what the policy's issuers name as `keys`, where that is not a URL. */
  readonly tokenKeys?: ReadonlyMap<string, { readonly keys: Record<string, unknown>[] }>;
  /** Where counts of limits are kept; default in memory. */
  readonly limits?: LimitStore;
  /** SHA-256 of a text, lower-case hexadecimal. Default WebCrypto's, which everywhere is there, and slower for a key than what Node has. */
  readonly sha256?: TextHash;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Access control by API keys, signed tokens (JWT, OpenID Connect) and client certificates, with roles, permissions model by model, and
 * limits. A credential comes as `authorization: Bearer …`, or as `x-api-key`; one that is shown has to be valid, even where the policy
 * lets in those who show none.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` for a policy that contradicts itself.
 * @example
 * const { key, record } = await createApiKey({ name: 'reporting', roles: ['user'] });
 * const access = createAccessControl({ keys: [record] });
 * await access.authenticate((name) => (name === 'authorization' ? `Bearer ${key}` : undefined));
 */
export function createAccessControl(options: AccessControlOptions): AccessControl {
  const { keys = [], policy = {}, tokenKeys = new Map(), limits = new MemoryLimitStore(), now = Date.now } = options;
  checkPolicy(policy);
  const ring = new KeyRing(keys, options.sha256);
  const tokens = new TokenVerifier(policy.tokens ?? [], tokenKeys);
  const limiter = new Limiter(policy.limits ?? [], limits);
  return {
    isAuthenticating: true,
    async authenticate(header, peer) {
      const credential = credentialOf(header);
      if (credential !== undefined)
        return idOfKey(credential) === undefined
          ? tokens.authenticate(credential, now())
          : ring.authenticate(credential, now());
      return fromCertificate(peer, policy.certificates ?? []) ?? anonymous(policy);
    },
    isAllowed: compilePermissions(policy.roles),
    consume: async (principal, model, amount) => limiter.consume(principal, model, amount, now()),
  };
}

function credentialOf(header: (name: string) => string | undefined): string | undefined {
  const authorization = header('authorization');
  const apiKey = header('x-api-key');
  if (authorization === undefined) return apiKey;
  const bearer = /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1];
  if (bearer === undefined)
    throw new ModelwrightError('unauthenticated', "The header 'authorization' must be 'Bearer' and a key or token.");
  return bearer;
}

function fromCertificate(peer: Peer | undefined, policies: readonly CertificatePolicy[]): Principal | undefined {
  const certificate = peer?.certificate;
  if (certificate === undefined) return undefined;
  const fingerprint = plainFingerprint(certificate.fingerprint256);
  const policy = policies.find(
    ({ subject, fingerprint256 }) =>
      (subject === undefined || subject === certificate.subject) &&
      (fingerprint256 === undefined || plainFingerprint(fingerprint256) === fingerprint),
  );
  return policy && { id: `certificate:${certificate.subject}`, kind: 'certificate', roles: policy.roles };
}

function plainFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

function anonymous({ anonymous: roles = [] }: AccessPolicy): Principal {
  if (roles.length === 0)
    throw new ModelwrightError('unauthenticated', 'This server wants an API key or token.', {
      hint: "Send the header 'authorization: Bearer <key>'.",
    });
  return { id: 'anonymous', kind: 'anonymous', roles };
}
