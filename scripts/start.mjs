/** `npm start`: from a fresh clone to a trained model, in one command. */
import { join } from 'node:path';
import { build, exitOnFailure, installIfNeeded, requireNode, root, runPnpm } from './workspace.mjs';

requireNode('20.0.0', 'Modelwright');
installIfNeeded();
build();
exitOnFailure(
  runPnpm(['--silent', 'run', 'start', ...process.argv.slice(2)], { cwd: join(root, 'examples/quickstart') }),
);
