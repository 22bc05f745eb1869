/** `npm test`: installs and builds what is missing, then runs every test. Arguments go to vitest. */
import { join } from 'node:path';
import { announce, build, exitOnFailure, installIfNeeded, requireNode, root, run } from './workspace.mjs';

requireNode('20.19.0', 'The test runner');
installIfNeeded();
build();
announce('Running tests');
exitOnFailure(run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)]));
