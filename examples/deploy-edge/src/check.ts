/** Runs the two workers in workerd, as `npx wrangler dev` would, and asks each about a sample. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askOverHttp, checkAnswers, models } from '@modelwright/example-deploy-models';
import { Miniflare } from 'miniflare';

interface WranglerConfiguration {
  readonly main: string;
  readonly compatibility_date: string;
  readonly rules: readonly { readonly type: 'ESModule' | 'CompiledWasm' | 'Data'; readonly globs: readonly string[] }[];
}

const workers = new Map<string, Miniflare>();
for (const { name } of models) {
  const folder = join('output', name);
  const configuration = JSON.parse(await readFile(join(folder, 'wrangler.json'), 'utf8')) as WranglerConfiguration;
  const worker = new Miniflare({
    modules: true,
    modulesRoot: folder,
    scriptPath: join(folder, configuration.main),
    modulesRules: configuration.rules.map(({ type, globs }) => ({ type, include: [...globs], fallthrough: true })),
    compatibilityDate: configuration.compatibility_date,
  });
  workers.set(name, worker);
}

const urls = new Map<string, string>();
for (const [name, worker] of workers) urls.set(name, (await worker.ready).href.replace(/\/$/, ''));
await checkAnswers(askOverHttp((name) => urls.get(name) as string));
for (const worker of workers.values()) await worker.dispose();
