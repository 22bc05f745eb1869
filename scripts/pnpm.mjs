/**
 * Runs the pinned pnpm with the given arguments: `node scripts/pnpm.mjs add -D something`.
 *
 * Brings pnpm in itself (into `.tools/`, inside the checkout), so a machine needs Node and npm only; commands that run
 * something of the workspace install its dependencies first.
 */
import { installIfNeeded, runPnpm } from './workspace.mjs';

const commandArguments = process.argv.slice(2);
if (/^(exec|run|turbo|--filter)$/.test(commandArguments[0] ?? '')) installIfNeeded();
process.exitCode = runPnpm(commandArguments);
