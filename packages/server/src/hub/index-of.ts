import type { ModelIndexEntry } from '../contract/model-info.js';
import type { RegisteredModel } from './model-registry.js';
import { compareVersions } from './version-policy.js';

/** The lines of the repository's index for models: one a version, oldest first. */
export function indexOf(models: Iterable<RegisteredModel>): readonly ModelIndexEntry[] {
  return [...models].flatMap(({ name, slots, problem }): ModelIndexEntry[] => {
    const ordered = [...slots.values()].sort((one, other) => compareVersions(one.version, other.version));
    if (ordered.length === 0) {
      return [{ name, version: '', state: 'UNAVAILABLE', reason: problem ?? 'it has no version' }];
    }
    // A configuration that broke while versions serve is told with them.
    return ordered.map(({ version, state, reason }) => ({ name, version, state, reason: reason || problem || '' }));
  });
}
