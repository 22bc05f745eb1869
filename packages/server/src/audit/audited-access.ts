import { ModelwrightError } from '@modelwright/core';
import type { AccessControl } from '../contract/access.js';
import type { AuditLog } from './audit-log.js';

/** Lets nobody in while what they do cannot be written down. */
export function auditedAccess(access: AccessControl, log: Pick<AuditLog, 'problem'>): AccessControl {
  return {
    isAuthenticating: access.isAuthenticating,
    async authenticate(header, peer) {
      if (log.problem === undefined) return access.authenticate(header, peer);
      throw new ModelwrightError('model-unavailable', 'The server cannot write its audit log at present.', {
        retryAfterSeconds: 5,
      });
    },
    isAllowed: (principal, action, model) => access.isAllowed(principal, action, model),
    consume: (principal, model, amount) => access.consume(principal, model, amount),
  };
}
