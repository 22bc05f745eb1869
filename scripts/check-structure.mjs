/** `npm run check`: fails when the tree breaks the rules that ARCHITECTURE.md and CONTRIBUTING.md state. */
import { installIfNeeded, root } from './workspace.mjs';

installIfNeeded();
const { checkTree } = await import('./structure/check-tree.mjs');
const { problems, warnings } = checkTree(process.argv[2] ?? root);
for (const warning of warnings) console.log(`warning  ${warning}`);
for (const problem of problems) console.error(`error    ${problem}`);
console.log(`Structure: ${problems.length} problems, ${warnings.length} warnings.`);
process.exitCode = problems.length > 0 ? 1 : 0;
