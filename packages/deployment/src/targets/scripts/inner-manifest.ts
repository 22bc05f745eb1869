import { type BundleManifest, manifestFile } from '../../bundle/manifest.js';
import { sha256 } from '../../bundle/sha256.js';
import type { BundleFile, ManifestDraft } from '../target.js';

/** The manifest of the common files alone: what they would be as a bundle of their own. */
export async function innerManifest(draft: ManifestDraft, common: readonly BundleFile[]): Promise<BundleFile> {
  const files = await Promise.all(
    common.map(async ({ path, content }) => {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      return { path, sizeBytes: bytes.length, sha256: await sha256(bytes) };
    }),
  );
  const manifest: BundleManifest = { ...draft, files };
  return { path: manifestFile, content: `${JSON.stringify(manifest, null, 2)}\n` };
}
