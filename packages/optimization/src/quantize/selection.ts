import { ModelwrightError, type Node } from '@modelwright/core';

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

/** Whether a node, known by its own name and that of its weight, is selected. */
export type Selector = (node: Node, weight?: string) => boolean;

interface Named {
  readonly node: Node;
  readonly weight?: string;
}

function namesOf({ node, weight }: Named): readonly string[] {
  return weight === undefined ? [node.name] : [node.name, weight];
}

/** Tells for each node whether it is selected; names that mean nothing count for nothing. */
export function lenientSelectorOf({ include, exclude = [] }: LayerSelection): Selector {
  return (node, weight) => {
    const names = namesOf(weight === undefined ? { node } : { node, weight });
    const isIncluded = include === undefined || include.some((pattern) => isMeant(pattern, names));
    return isIncluded && !exclude.some((pattern) => isMeant(pattern, names));
  };
}

/**
 * Tells for each node whether it is selected.
 *
 * @throws {@link ModelwrightError} `invalid-argument` if a name means nothing in `nodes`.
 */
export function selectorOf(selection: LayerSelection, nodes: readonly Named[]): Selector {
  const { include = [], exclude = [] } = selection;
  for (const pattern of [...include, ...exclude]) {
    if (nodes.some((each) => isMeant(pattern, namesOf(each)))) continue;
    const allowed = [...new Set(nodes.map(({ node, weight }) => weight ?? node.name))];
    throw new ModelwrightError(
      'invalid-argument',
      `'${String(pattern)}' names no layer that can be quantized; there are: ${allowed.join(', ') || 'none'}`,
      { given: String(pattern), allowed },
    );
  }
  return lenientSelectorOf(selection);
}
