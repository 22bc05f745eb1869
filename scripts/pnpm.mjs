/**
 * Runs the pinned pnpm with the given arguments: `node scripts/pnpm.mjs install`.
 *
 * Brings pnpm in itself (into `.tools/`, inside the checkout), so a machine needs Node and npm only.
 */
import { fileURLToPath } from 'node:url';
import { runPnpm } from './workspace.mjs';

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = runPnpm(process.argv.slice(2));
}
