import type { Node } from '@modelwright/core';
import { ModelwrightError } from '@modelwright/core';

/** Names of layers, weights or nodes, exactly or as patterns; a layer's name stands for all within it. */
export type NamePattern = string | RegExp;

/** What to quantize and what to leave alone. */
export interface LayerSelection {
  /** Only these layers. Default all. */
  readonly include?: readonly NamePattern[];
  /** All but these layers. */
  readonly exclude?: readonly NamePattern[];
}

/** Whether a name of `node` or of its weight is meant by `pattern`: `block1` means `block1.conv` and `block1/Conv` too. */
export function isMeant(pattern: NamePattern, names: readonly string[]): boolean {
  if (typeof pattern !== 'string') return names.some((name) => pattern.test(name));
  return names.some((name) => name === pattern || name.startsWith(`${pattern}.`) || name.startsWith(`${pattern}/`));
}

/**
 * Tells for each node whether it is selected.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a name means nothing in `nodes`.
 */
export function selectorOf(
  { include, exclude = [] }: LayerSelection,
  nodes: readonly { readonly node: Node; readonly weight?: string }[],
): (node: Node, weight?: string) => boolean {
  const named = (node: Node, weight?: string): readonly string[] => [
    node.name,
    ...(weight === undefined ? [] : [weight]),
  ];
  for (const pattern of [...(include ?? []), ...exclude]) {
    if (nodes.some(({ node, weight }) => isMeant(pattern, named(node, weight)))) continue;
    const allowed = nodes.map(({ node, weight }) => weight ?? node.name);
    throw new ModelwrightError(
      'invalid-argument',
      `'${String(pattern)}' names no layer that can be quantized; there are: ${allowed.join(', ') || 'none'}`,
      { given: String(pattern), allowed },
    );
  }
  return (node, weight) => {
    const names = named(node, weight);
    const isIncluded = include === undefined || include.some((pattern) => isMeant(pattern, names));
    return isIncluded && !exclude.some((pattern) => isMeant(pattern, names));
  };
}
