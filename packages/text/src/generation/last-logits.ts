import type { GraphBuilder, Node, Value } from '@modelwright/core';

/**
 * The logits of each row's last token that counts: `[batch, time, vocabulary]` → `[batch, vocabulary]`. A row without
 * such a token gives those of its first place, which mean nothing.
 *
 * What stands between the last mixing of positions and the logits (a normalization, the head) is computed for that token
 * only. A softmax at the end is left out: its input tells the same, and better.
 */
export function lastLogits(builder: GraphBuilder, output: Value, lengths: Value): Value {
  const makers = new Map(builder.build().nodes.flatMap((node) => node.outputs.map((value) => [value, node] as const)));
  const logits = beforeSoftmax(output, makers.get(output));
  if (logits.shape[1] === 1) return builder.op('Squeeze', [logits, builder.integers([1])]);
  const last = builder.op('Max', [
    builder.op('Sub', [lengths, builder.scalar(1, 'int64')]),
    builder.scalar(0, 'int64'),
  ]);
  const places = builder.op('Unsqueeze', [last, builder.integers([1])]);
  const pick = (value: Value): Value => builder.op('GatherND', [value, places], { batch_dims: 1 });
  return lastOf(builder, logits, { makers, pick });
}

function beforeSoftmax(output: Value, maker: Node | undefined): Value {
  const isSoftmax = maker?.op === 'Softmax' || maker?.op === 'LogSoftmax';
  const axis = Number(maker?.attributes['axis'] ?? -1);
  return isSoftmax && (axis === -1 || axis === output.shape.length - 1) ? (maker.inputs[0] as Value) : output;
}

interface Request {
  readonly makers: ReadonlyMap<Value, Node>;
  /** `[batch, time, …]` → `[batch, …]` */
  readonly pick: (value: Value) => Value;
}

/** The last place of a value, computed from the last place of what it is made of as far back as that is easy to see. */
function lastOf(builder: GraphBuilder, value: Value, request: Request): Value {
  const maker = request.makers.get(value);
  const spread = maker && isPointwise(maker) ? maker.inputs.findIndex((input) => input?.shape.length === 3) : -1;
  if (maker === undefined || spread < 0) return request.pick(value);
  const inputs = [...maker.inputs];
  inputs[spread] = lastOf(builder, inputs[spread] as Value, request);
  const attributes = maker.op === 'LayerNormalization' || maker.op === 'RMSNormalization' ? { axis: -1 } : {};
  const [result] = builder.anyNode(
    { ...maker, inputs, attributes: { ...maker.attributes, ...attributes } },
    maker.outputs.map(({ dtype, shape }) => ({ dtype, shape: shape.filter((_, axis) => axis !== 1) })),
  );
  return result as Value;
}

/** Whether a node computes each place of `[batch, time, features]` from that place alone, by what is seen of it here. */
function isPointwise({ op, domain, inputs, outputs, attributes }: Node): boolean {
  const [value] = outputs;
  if (domain !== '' || outputs.length !== 1 || value?.shape.length !== 3) return false;
  const others = inputs.filter((input) => input !== undefined && input.shape.length !== 3);
  if (others.length !== inputs.length - 1) return false;
  const [first] = inputs;
  if (op === 'MatMul') return first?.shape.length === 3 && others[0]?.shape.length === 2;
  if (op === 'LayerNormalization' || op === 'RMSNormalization')
    return [-1, 2].includes(Number(attributes['axis'] ?? -1));
  return pointwise.has(op) && others.every((other) => (other as Value).shape.length <= 1);
}

const pointwise: ReadonlySet<string> = new Set([
  ...['Add', 'Sub', 'Mul', 'Div', 'Tanh', 'Gelu', 'Relu', 'Sigmoid', 'Cast', 'Identity'],
]);
