import { ModelwrightError } from '@modelwright/core';
import type { Action } from '../contract/access.js';
import { type AccessPolicy, actions, defaultRoles, type Permission } from './access-policy.js';
import { dictionary, fields, list, oneOf, positive, type Reader, readStrictJson, text, truth } from './strict-json.js';
import { tokenAlgorithms } from './token-algorithms.js';

const texts = list(text());
const amounts = { requests: positive(), tokens: positive() };

const permission: Reader<Permission> = fields<Permission, object>(
  { models: texts, actions: list(oneOf<Action>(actions)) },
  {},
);

const limit = fields(
  {},
  {
    roles: texts,
    principals: texts,
    models: texts,
    eachModel: truth,
    rate: fields({ perSeconds: positive() }, amounts),
    quota: fields({ per: oneOf(['hour', 'day', 'month']) }, amounts),
  },
);

const tokenPolicy = fields(
  { issuer: text(), audience: text() },
  {
    keys: text(),
    rolesClaim: text(),
    algorithms: list(oneOf(tokenAlgorithms)),
    clockToleranceSeconds: positive(0),
  },
);

const policy = fields(
  {},
  {
    $schema: text(),
    roles: dictionary(list(permission)),
    anonymous: texts,
    limits: list(limit),
    tokens: list(tokenPolicy),
    certificates: list(fields({ roles: texts }, { subject: text(), fingerprint256: text() })),
  },
);

/**
 * Reads a policy from JSON, strictly: unknown fields, unknown actions and roles that are not defined are refused.
 *
 * @param file - Names it in errors.
 * @throws {@link ModelwrightError} `invalid-configuration`.
 */
export function readPolicy(source: string, file = 'policy'): AccessPolicy {
  const { $schema: _, ...read } = readStrictJson(source, policy, file);
  checkPolicy(read, file);
  return read;
}

/**
 * Checks what types cannot say: roles that are used are defined, a limit limits, a certificate names one.
 *
 * @throws {@link ModelwrightError} `invalid-configuration`.
 */
export function checkPolicy(policy: AccessPolicy, file = 'policy'): void {
  const known = Object.keys(policy.roles ?? defaultRoles);
  const used = [
    ...(policy.anonymous ?? []),
    ...(policy.limits ?? []).flatMap(({ roles = [] }) => roles),
    ...(policy.certificates ?? []).flatMap(({ roles }) => roles),
  ];
  const unknown = used.find((role) => !known.includes(role));
  if (unknown !== undefined)
    throw invalid(`${file}: role '${unknown}' is not defined; there are ${known.join(', ')}.`, unknown, known);
  policy.limits?.forEach(({ rate, quota }, at) => {
    const limiting = [rate, quota].filter((each) => each?.requests !== undefined || each?.tokens !== undefined);
    if (limiting.length === 0) throw invalid(`${file}: limits[${at}] limits neither requests nor tokens.`);
  });
  policy.certificates?.forEach(({ subject, fingerprint256 }, at) => {
    if (subject === undefined && fingerprint256 === undefined)
      throw invalid(`${file}: certificates[${at}] has neither subject nor fingerprint256.`);
  });
  const issuers = (policy.tokens ?? []).map(({ issuer }) => issuer);
  if (new Set(issuers).size < issuers.length) throw invalid(`${file}: an issuer of tokens stands there twice.`);
}

function invalid(message: string, given?: unknown, allowed?: unknown): ModelwrightError {
  return new ModelwrightError('invalid-configuration', message, { given, allowed });
}
