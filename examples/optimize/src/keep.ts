import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OptimizationResult, saveModel } from 'modelwright';

const folder = fileURLToPath(new URL('../output/', import.meta.url));

/** Writes what came out to `output/`: the model, and its report as JSON and as a page. */
export async function keep(name: string, { model, report }: OptimizationResult): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const files = ['onnx', 'json', 'html'].map((kind) => join(folder, `${name}.${kind}`)) as [string, string, string];
  await saveModel(model, files[0]);
  writeFileSync(files[1], `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(files[2], report.toHTML());
  console.log(`\nwrote ${files.map((file) => relative(process.cwd(), file)).join(', ')}`);
}
