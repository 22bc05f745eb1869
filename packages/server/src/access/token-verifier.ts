import { ModelwrightError } from '@modelwright/core';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { Principal } from '../contract/access.js';
import type { TokenPolicy } from './access-policy.js';
import { tokenAlgorithms } from './token-algorithms.js';

/** Where the public keys of an issuer come from. */
export type TokenKeys = JWTVerifyGetKey;

const retrySeconds = 5;

interface Issuer {
  readonly policy: TokenPolicy;
  /** Found when the first token comes, so that a server starts without its issuer. */
  keys: Promise<TokenKeys> | undefined;
}

/** Judges JSON Web Tokens of the issuers that a policy names. */
export class TokenVerifier {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #localKeys: ReadonlyMap<string, JSONWebKeySet>;

  /** @param localKeys - Key sets by what policies name as `keys`, where that is not a URL. */
  constructor(policies: readonly TokenPolicy[], localKeys: ReadonlyMap<string, JSONWebKeySet> = new Map()) {
    this.#issuers = new Map(policies.map((policy) => [policy.issuer, { policy, keys: undefined }]));
    this.#localKeys = localKeys;
    for (const { keys } of policies) if (keys !== undefined && !localKeys.has(keys)) secureUrl(keys);
  }

  /**
   * @throws {@link ModelwrightError} `unauthenticated` if signature, issuer, audience or times are not right; `model-unavailable` if the
   * issuer's keys cannot be had.
   */
  async authenticate(token: string, now: number): Promise<Principal> {
    const issuer = this.#issuers.get(issuerOf(token));
    if (issuer === undefined) throw new ModelwrightError('unauthenticated', 'The token comes from an unknown issuer.');
    const { policy } = issuer;
    const claims = await this.#verify(token, issuer, now);
    if (typeof claims.sub !== 'string' || claims.sub === '')
      throw new ModelwrightError('unauthenticated', "The token's claim 'sub' is missing or not accepted.");
    return {
      id: `token:${policy.issuer}#${claims.sub}`,
      kind: 'token',
      roles: rolesOf(claims, policy.rolesClaim ?? 'roles'),
    };
  }

  async #verify(token: string, issuer: Issuer, now: number): Promise<JWTPayload> {
    const { policy } = issuer;
    issuer.keys ??= this.#keysOf(policy);
    const keys = await issuer.keys.catch((cause) => {
      // Asked again only after a while: tokens that anybody may send must not become requests to the issuer.
      setTimeout(() => {
        issuer.keys = undefined;
      }, 1000 * retrySeconds);
      throw unavailable(policy, cause);
    });
    try {
      const verified = await jwtVerify(token, keys, {
        issuer: policy.issuer,
        audience: policy.audience,
        algorithms: [...(policy.algorithms ?? tokenAlgorithms)],
        clockTolerance: policy.clockToleranceSeconds ?? 5,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(now),
      });
      return verified.payload;
    } catch (cause) {
      throw refusalOf(cause, policy);
    }
  }

  async #keysOf({ issuer, keys }: TokenPolicy): Promise<TokenKeys> {
    const local = keys === undefined ? undefined : this.#localKeys.get(keys);
    if (local !== undefined) return createLocalJWKSet(local);
    return createRemoteJWKSet(secureUrl(keys ?? (await discover(issuer))), { timeoutDuration: 5000 });
  }
}

/** Asks an OpenID provider where its keys are. */
async function discover(issuer: string): Promise<string> {
  const url = secureUrl(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), redirect: 'error' });
  if (!response.ok) throw new ModelwrightError('invalid-data', `${url} answers ${response.status}.`);
  const document = (await response.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (document.issuer !== issuer || typeof document.jwks_uri !== 'string')
    throw new ModelwrightError('invalid-data', `${url} does not describe the issuer '${issuer}'.`);
  return document.jwks_uri;
}

function secureUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isLoopback = url !== undefined && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) return url;
  throw new ModelwrightError('invalid-configuration', `Keys of tokens must come by https, not from '${address}'.`, {
    given: address,
  });
}

/** Unverified: only chooses the keys that then must fit. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch {
    throw new ModelwrightError('unauthenticated', 'The credential is neither an API key nor a JSON Web Token.');
  }
}

function rolesOf(claims: JWTPayload, claim: string): readonly string[] {
  const value = claims[claim] ?? claim.split('.').reduce<unknown>((held, key) => fieldOf(held, key), claims);
  if (typeof value === 'string') return value.split(' ').filter((role) => role !== '');
  return Array.isArray(value) ? value.filter((role) => typeof role === 'string') : [];
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function refusalOf(cause: unknown, policy: TokenPolicy): ModelwrightError {
  if (cause instanceof errors.JWTExpired) return new ModelwrightError('unauthenticated', 'The token has expired.');
  if (cause instanceof errors.JWTClaimValidationFailed)
    return new ModelwrightError('unauthenticated', `The token's claim '${cause.claim}' is missing or not accepted.`);
  const isTrouble =
    cause instanceof errors.JWKSTimeout || !(cause instanceof errors.JOSEError) || cause.code === 'ERR_JOSE_GENERIC';
  if (isTrouble) return unavailable(policy, cause);
  return new ModelwrightError('unauthenticated', "The token's signature is not valid.", { cause });
}

function unavailable({ issuer }: TokenPolicy, cause: unknown): ModelwrightError {
  return new ModelwrightError('model-unavailable', `The keys of '${issuer}' cannot be had now.`, {
    cause,
    retryAfterSeconds: retrySeconds,
  });
}
