import type { SupportReport } from './suite.js';

/** Names the folder that reports are written to. */
const folderVariable = 'MODELWRIGHT_SUPPORT_REPORTS';

/**
 * Writes a report as JSON into the folder that the environment variable `MODELWRIGHT_SUPPORT_REPORTS` names.
 *
 * @returns whether there is such a folder; none in browsers.
 */
export async function writeReport(report: SupportReport): Promise<boolean> {
  const { process } = globalThis as { process?: { env: { readonly [name: string]: string | undefined } } };
  const folder = process?.env[folderVariable];
  if (folder === undefined) return false;
  const { mkdir, writeFile } = await import('node:fs/promises');
  await mkdir(folder, { recursive: true });
  const file = report.name.replace(/[^\w]+/g, '-');
  await writeFile(`${folder}/${file}.json`, JSON.stringify(report, null, 2));
  return true;
}
