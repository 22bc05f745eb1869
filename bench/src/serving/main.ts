/**
 * All benches of serving, one after another; ends with 1 if a promise is not kept.
 *
 * usage: main [throughput|overhead|soak|isolation|fuzz|hostile …]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const all = ['overhead', 'throughput', 'isolation', 'fuzz', 'hostile', 'soak'];
const asked = process.argv.slice(2);
let isMet = true;
for (const name of asked.length > 0 ? asked : all) {
  process.stdout.write(`\n## ${name}\n\n`);
  const script = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) isMet = false;
}
process.exit(isMet ? 0 : 1);
