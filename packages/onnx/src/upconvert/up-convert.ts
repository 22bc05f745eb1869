import type { SourceNode } from '../read/source-node.js';
import { attributesToInputs } from './attributes-to-inputs.js';
import { normalization } from './normalization.js';
import { renamed } from './renamed.js';
import { resampling } from './resampling.js';
import type { UpConversion, UpConversionContext } from './rule.js';
import { flattenedSoftmax } from './softmax.js';

/** Every form that ended with an opset after 7, in no particular order. */
export const upConversions: readonly UpConversion[] = [
  ...attributesToInputs,
  ...flattenedSoftmax,
  ...normalization,
  ...resampling,
  ...renamed,
];

const byOp: ReadonlyMap<string, readonly UpConversion[]> = new Map(
  [...new Set(upConversions.map(({ op }) => op))].map((op) => [
    op,
    upConversions.filter((rule) => rule.op === op).sort((a, b) => a.before - b.before),
  ]),
);

/**
 * Brings an ONNX node of an older opset to the canonical form, step by step, and hands each resulting node to `accept`
 * before the next is converted, so that rules can ask for the types of what was accepted.
 *
 * @param opset - Version of ONNX's own domain that the node was written for.
 */
export function upConvert(
  node: SourceNode,
  opset: number,
  context: UpConversionContext,
  accept: (node: SourceNode) => void,
): void {
  const rule = node.domain === '' ? byOp.get(node.op)?.find(({ before }) => opset < before) : undefined;
  if (rule === undefined) {
    accept(node);
    return;
  }
  for (const converted of rule.convert(node, context)) upConvert(converted, rule.before, context, accept);
}
