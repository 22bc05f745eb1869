import { BlockList, isIP } from 'node:net';
import { ModelwrightError } from '@modelwright/core';
import type { AccessControl } from '../contract/access.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether an address or name can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const family = isIP(name);
  return family !== 0 && loopback.check(name, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * A server where everybody may do everything listens to its own machine only.
 *
 * @throws {@link ModelwrightError} `invalid-configuration` saying how to let people in.
 */
export function requireSafeAddress(host: string, access: AccessControl, allowsEverybody: boolean): void {
  if (access.isAuthenticating || allowsEverybody || isLoopback(host)) return;
  throw new ModelwrightError(
    'invalid-configuration',
    `'${host}' can be reached by others, and nobody would be asked who they are`,
    { given: host, allowed: '127.0.0.1', hint: 'make a key with `modelwright keys create` and pass --keys' },
  );
}
