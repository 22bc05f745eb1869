import type { GraphBuilder, Value } from '@modelwright/core';

/**
 * The logits of each row's last token that counts: `[batch, time, vocabulary]` → `[batch, vocabulary]`. A row without
 * such a token gives those of its first place, which mean nothing.
 */
export function lastLogits(builder: GraphBuilder, logits: Value, lengths: Value): Value {
  if (logits.shape[1] === 1) return builder.op('Squeeze', [logits, builder.integers([1])]);
  const last = builder.op('Max', [
    builder.op('Sub', [lengths, builder.scalar(1, 'int64')]),
    builder.scalar(0, 'int64'),
  ]);
  const indices = builder.op('Unsqueeze', [last, builder.integers([1])]);
  return builder.op('GatherND', [logits, indices], { batch_dims: 1 });
}
