import type { Model } from '@modelwright/core';
import type { TensorInfo } from '../bundle/manifest.js';
import type { GoldenSet } from '../golden/golden-set.js';
import type { ManifestDraft } from '../targets/target.js';

/** What is known of a model, in Markdown with a head that hubs of models read. */
export function modelCard(
  model: Model,
  manifest: ManifestDraft,
  { golden, text }: { readonly golden: GoldenSet; readonly text?: string | undefined },
): string {
  const { name, version, licence, description, createdAt, generator, target } = manifest;
  const sections = [
    ['---', `license: ${JSON.stringify(licence.toLowerCase())}`, 'library_name: modelwright', '---'].join('\n'),
    `# ${name}`,
    description ?? '',
    text?.trim() ?? '',
    table([
      ['version', version],
      ['licence', licence],
      ['parameters', model.parameterCount.toLocaleString('en')],
      ['operators', String(model.graph.nodes.length)],
      ['made for', target],
      ['made', `${createdAt} by ${generator}`],
    ]),
    '## Inputs and outputs',
    signature(manifest),
    '## Proof',
    proofOf(golden),
    ...(manifest.optimization === undefined
      ? []
      : ['## Optimization', 'Its record is in `manifest.json` under `optimization`.']),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function table(rows: readonly (readonly string[])[]): string {
  const [first = []] = rows;
  const head = [`|${' |'.repeat(first.length)}`, `|${' --- |'.repeat(first.length)}`];
  return [...head, ...rows.map((row) => `| ${row.map(escaped).join(' | ')} |`)].join('\n');
}

const escaped = (cell: string): string => cell.replaceAll('|', '\\|').replaceAll('\n', ' ');

function signature({ model, processing }: ManifestDraft): string {
  const row = (side: string, { name, dtype, shape }: TensorInfo, kind: string): readonly string[] => [
    side,
    `\`${name}\``,
    `${dtype} [${shape.join(', ')}]`,
    kind,
  ];
  return table([
    ...model.inputs.map((info) => row('input', info, processing?.inputs?.[info.name]?.kind ?? '')),
    ...model.outputs.map((info) => row('output', info, processing?.outputs?.[info.name]?.kind ?? '')),
  ]);
}

function proofOf({ cases, readings = [], madeWith }: GoldenSet): string {
  const parts = [
    `${cases.length} golden input${cases.length === 1 ? '' : 's'} with the answers of ${madeWith}`,
    ...(readings.length > 0
      ? [`${readings.length} example${readings.length === 1 ? '' : 's'} of what processing makes of pictures and texts`]
      : []),
  ];
  return `\`golden.json\` holds ${parts.join(', and ')}. \`modelwright verify\` runs them.`;
}
