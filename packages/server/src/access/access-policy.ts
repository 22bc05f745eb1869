import type { Action } from '../contract/access.js';

/** Actions on the models that patterns match; see `compilePatterns`. */
export interface Permission {
  /** Patterns: `digits`, `team-a-*`, `*` (all models, and the server as a whole), `!secret` (but not this one). */
  readonly models: readonly string[];
  readonly actions: readonly Action[];
}

/** How much somebody may ask for; all that match a request hold. */
export interface Limit {
  /** Whom it concerns; default everybody. Each principal has an allowance of their own. */
  readonly roles?: readonly string[];
  readonly principals?: readonly string[];
  /** Patterns; default all models. */
  readonly models?: readonly string[];
  /** An allowance for each model instead of one for all together. */
  readonly eachModel?: boolean;
  /** Refills steadily: `requests` (or `tokens`) in `perSeconds`, and as many at once when rested. */
  readonly rate?: Amounts & { readonly perSeconds: number };
  /** Starts anew with each hour, day or month (UTC). */
  readonly quota?: Amounts & { readonly per: 'hour' | 'day' | 'month' };
}

/** Requests, and tokens of prompts and completions. */
export interface Amounts {
  readonly requests?: number;
  readonly tokens?: number;
}

/** Where signed tokens come from, and what they must say. */
export interface TokenPolicy {
  /** Must equal the claim `iss`. */
  readonly issuer: string;
  /** Must be among the claim `aud`. */
  readonly audience: string;
  /** A URL (https, or loopback), or in Node a file beside the policy; default: what the issuer's `/.well-known/openid-configuration` says. */
  readonly keys?: string;
  /** Where roles stand: a claim's name, or a path with dots (`realm_access.roles`). Default `roles`. */
  readonly rolesClaim?: string;
  /** Default RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519. Never symmetric ones, never `none`. */
  readonly algorithms?: readonly string[];
  /** For clocks that differ. Default 5. */
  readonly clockToleranceSeconds?: number;
}

/** A client certificate by its subject or fingerprint, and what its owner is. */
export interface CertificatePolicy {
  readonly subject?: string;
  readonly fingerprint256?: string;
  readonly roles: readonly string[];
}

/** Who may do what, as a file holds it. */
export interface AccessPolicy {
  /** Default {@link defaultRoles}; given, it replaces them. */
  readonly roles?: Readonly<Record<string, readonly Permission[]>>;
  /** Roles of those who show no credential; default none: they are refused. */
  readonly anonymous?: readonly string[];
  readonly limits?: readonly Limit[];
  /** Issuers of tokens; a token is judged by the one it names. */
  readonly tokens?: readonly TokenPolicy[];
  readonly certificates?: readonly CertificatePolicy[];
}

/** Every action there is. */
export const actions: readonly Action[] = ['infer', 'read', 'control', 'observe'];

/** The roles of a policy that names none. */
export const defaultRoles: Readonly<Record<'admin' | 'operator' | 'user' | 'viewer', readonly Permission[]>> = {
  admin: [{ models: ['*'], actions }],
  operator: [{ models: ['*'], actions: ['read', 'control', 'observe'] }],
  user: [{ models: ['*'], actions: ['read', 'infer'] }],
  viewer: [{ models: ['*'], actions: ['read', 'observe'] }],
};
