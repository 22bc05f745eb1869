import { ModelwrightError } from '@modelwright/core';
import type { ModelConfiguration } from '../contract/model-configuration.js';

/** Orders versions as numbers: `2` before `10`. */
export function compareVersions(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);
}

/** Whether a name is a version: a whole number from 1 without leading zeros. */
export function isVersion(name: string): boolean {
  return /^[1-9]\d{0,14}$/.test(name);
}

/** The versions that should be loaded, oldest first. */
export function servedVersions(
  versions: readonly string[],
  policy: ModelConfiguration['versionPolicy'] = { latest: 1 },
): readonly string[] {
  const ordered = [...versions].sort(compareVersions);
  if ('all' in policy) return ordered;
  if ('specific' in policy) return ordered.filter((version) => policy.specific.includes(version));
  return ordered.slice(-Math.max(1, policy.latest));
}

/**
 * The version for a request that names none: by the shares of `routing` among the versions that are ready, else the newest.
 *
 * @param versions - Those that are ready.
 * @param draw - Uniform in [0, 1).
 * @throws {@link ModelwrightError} `model-unavailable` if there is none.
 */
export function chooseVersion(
  versions: readonly string[],
  routing: ModelConfiguration['routing'],
  draw: number,
): string {
  const shares = versions.map((version) => routing?.[version] ?? 0);
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (total > 0) {
    let rest = draw * total;
    for (const [index, share] of shares.entries()) {
      rest -= share;
      if (rest < 0) return versions[index] as string;
    }
  }
  const newest = [...versions].sort(compareVersions).at(-1);
  if (newest === undefined) throw new ModelwrightError('model-unavailable', 'no version is ready');
  return newest;
}
