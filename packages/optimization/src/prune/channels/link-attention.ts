import type { Value } from '@modelwright/core';
import type { ChannelLabels } from './channel-labels.js';
import { inputOf, type LinkRule, outputOf, uniteAcrossGroups, uniteGroups } from './link-context.js';
import { modeOf } from './link-products.js';

/** A value that holds heads side by side: `[batch, time, heads·size]` or `[batch, heads, time, size]`. */
interface HeadsOf {
  readonly value: Value;
  readonly heads: number;
}

/** One label a head: that of its first feature, with which all the others go. */
function headLabels(labels: ChannelLabels, { value, heads }: HeadsOf, reason: string): Int32Array {
  if (value.shape.length === 4) {
    for (const axis of [0, 2, 3]) labels.pinAxis(value, axis, reason);
    return labels.of(value, 1);
  }
  const channels = labels.of(value, 2);
  labels.pinAxis(value, 1, reason);
  uniteGroups({ labels, channels, groups: heads });
  const size = channels.length / heads;
  return Int32Array.from({ length: heads }, (_, head) => channels[head * size] as number);
}

/**
 * Heads go as a whole, with their queries, keys, values and outputs. Where several heads of queries share one of keys, they
 * go together; or, where there are few heads of keys, as many queries of each go and the keys stay.
 */
const linkAttention: LinkRule = (node, { labels }) => {
  const reason = `${node.op} '${node.name}'`;
  const [query, key, value, mask, pastKey, pastValue, valid] = node.inputs as readonly [
    Value,
    Value,
    Value,
    ...Value[],
  ];
  const [y, presentKey, presentValue, scores] = node.outputs as readonly [Value, ...Value[]];
  const isFlat = query.shape.length === 3;
  const count = (name: string, { shape }: Value): number => Number(isFlat ? (node.attributes[name] ?? 1) : shape[1]);
  const [heads, keyHeads] = [count('q_num_heads', query), count('kv_num_heads', key)];
  const queries = headLabels(labels, { value: query, heads }, reason);
  const keys = headLabels(labels, { value: key, heads: keyHeads }, reason);
  labels.link(headLabels(labels, { value: y, heads }, reason), queries);
  labels.link(headLabels(labels, { value, heads: keyHeads }, reason), keys);
  for (const cache of [pastKey, pastValue, presentKey, presentValue]) {
    if (cache === undefined) continue;
    for (const axis of [0, 2, 3]) labels.pinAxis(cache, axis, reason);
    labels.link(labels.of(cache, 1), keys);
  }
  for (const perHead of [mask, scores]) {
    const axis = (perHead?.shape.length ?? 0) - 3;
    perHead?.shape.forEach((extent, at) => {
      if (at === axis && extent === heads) labels.link(labels.of(perHead, at), queries);
      else labels.pinAxis(perHead, at, reason);
    });
  }
  labels.pinValue(valid, reason);
  const mode = heads === keyHeads ? 'whole' : modeOf(keyHeads, heads / keyHeads);
  labels.groupModes.set(node, mode);
  if (mode === 'each') {
    labels.pin(keys, reason);
    uniteAcrossGroups({ labels, channels: queries, groups: keyHeads });
    return;
  }
  queries.forEach((label, head) => {
    labels.unite(label, keys[Math.floor((head * keyHeads) / heads)] as number);
  });
};

/** Heads turn by themselves; their features stay together. */
const linkRotary: LinkRule = (node, { labels }) => {
  const reason = `${node.op} '${node.name}'`;
  const [x, y] = [inputOf(node, 0), outputOf(node)];
  const heads = Number(node.attributes['num_heads'] ?? x.shape[1]);
  labels.link(headLabels(labels, { value: x, heads }, reason), headLabels(labels, { value: y, heads }, reason));
  for (const other of node.inputs.slice(1)) labels.pinValue(other, reason);
};

/** Ops that know heads. */
export const attentionRules: { readonly [op: string]: LinkRule } = {
  Attention: linkAttention,
  RotaryEmbedding: linkRotary,
};
