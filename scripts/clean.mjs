/** `npm run clean`: removes what builds leave behind; installed dependencies stay. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, workspaceFolders } from './workspace.mjs';

for (const folder of workspaceFolders()) {
  for (const leftover of ['dist', '.turbo', 'tsconfig.tsbuildinfo']) {
    rmSync(join(root, folder, leftover), { recursive: true, force: true });
  }
}
