/** `npm run bench`: builds what is missing, then measures Modelwright beside its peers. Arguments go to the bench. */
import { join } from 'node:path';
import { build, exitOnFailure, installIfNeeded, root, runPnpm } from './workspace.mjs';

installIfNeeded();
build();
exitOnFailure(runPnpm(['--silent', 'run', 'bench', ...process.argv.slice(2)], { cwd: join(root, 'bench') }));
