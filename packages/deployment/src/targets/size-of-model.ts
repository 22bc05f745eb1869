import type { TargetContext } from './target.js';

/** Bytes of a model's file and of its external data. */
export function sizeOfModel({ common, manifest }: Pick<TargetContext, 'common' | 'manifest'>): number {
  const files = new Set([manifest.model.file, ...(manifest.model.externalData ?? [])]);
  return common.filter(({ path }) => files.has(path)).reduce((sum, { content }) => sum + content.length, 0);
}
