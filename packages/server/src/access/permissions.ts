import type { Action, Principal } from '../contract/access.js';
import { type AccessPolicy, defaultRoles } from './access-policy.js';
import { compilePatterns, type ModelPatterns } from './model-pattern.js';

interface CompiledPermission {
  readonly models: ModelPatterns;
  readonly actions: ReadonlySet<Action>;
}

/** What roles may do, ready to be asked; see {@link AccessControl.isAllowed} for what `*` as the model means. */
export function compilePermissions(
  roles: NonNullable<AccessPolicy['roles']> = defaultRoles,
): (principal: Principal, action: Action, model: string) => boolean {
  const compiled = new Map(
    Object.entries(roles).map(([role, permissions]) => [
      role,
      permissions.map(
        ({ models, actions }): CompiledPermission => ({ models: compilePatterns(models), actions: new Set(actions) }),
      ),
    ]),
  );
  return (principal, action, model) =>
    principal.roles.some((role) =>
      compiled.get(role)?.some(({ models, actions }) => actions.has(action) && covers(models, action, model)),
    );
}

function covers(models: ModelPatterns, action: Action, model: string): boolean {
  if (model !== '*') return models.matches(model);
  return action === 'infer' || action === 'read' ? true : models.isEverything;
}
