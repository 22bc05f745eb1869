/** `npm start`: from a fresh clone to a trained model, in one command. */
import { join } from 'node:path';
import { build, exitOnFailure, installIfNeeded, root, runPnpm } from './workspace.mjs';

installIfNeeded();
build();
exitOnFailure(
  runPnpm(['--silent', 'run', 'start', ...process.argv.slice(2)], { cwd: join(root, 'examples/quickstart') }),
);
