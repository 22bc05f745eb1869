/** `npm test`: installs and builds what is missing, then runs every test. Arguments go to vitest. */
import { join } from 'node:path';
import { announce, build, exitOnFailure, installIfNeeded, root, run } from './workspace.mjs';

installIfNeeded();
build();
announce('Running tests');
exitOnFailure(run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)]));
