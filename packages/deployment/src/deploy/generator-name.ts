import { readFileSync } from 'node:fs';

/** `modelwright 1.2.0`: what made a bundle. */
export function generatorName(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return `modelwright ${(JSON.parse(manifest) as { version: string }).version}`;
}
