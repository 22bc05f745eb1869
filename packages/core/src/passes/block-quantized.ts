import type { Node, Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { castTo } from '../graph/shape-ops.js';
import { fullTensor } from '../tensor/tensor.js';

/** Ops of ONNX Runtime that read weights in 2ⁿ codes of 4 or 8 bits, a scale a block; files of language models are full of them. */
const microsoft = 'com.microsoft';

/** Whether a node is one of ONNX Runtime's ops on block-quantized weights. */
export function isBlockQuantized({ op, domain }: Pick<Node, 'op' | 'domain'>): boolean {
  return domain === microsoft && (op === 'MatMulNBits' || op === 'GatherBlockQuantized');
}

/**
 * The same in ONNX's own ops, for backends that lack these: codes are unpacked and made float by `DequantizeLinear`, which folds into
 * plain weights where they are constants.
 *
 * @returns undefined for other nodes and for forms that are rare: 2 bits, floating zero points, columns out of order.
 */
export function expandBlockQuantized(
  node: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  if (!isBlockQuantized(node)) return undefined;
  return builder.scoped({ name: node.name }, () =>
    node.op === 'MatMulNBits' ? expandProduct(node, inputs, builder) : expandLookup(node, inputs, builder),
  );
}

function expandProduct(
  { attributes }: Node,
  inputs: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const [x, codes, scales, zeroPoints, groups, bias] = inputs;
  const { K, N, bits = 4, block_size: blockSize } = attributes as { readonly [name: string]: number };
  if (x === undefined || codes === undefined || scales === undefined || groups !== undefined) return undefined;
  if (K === undefined || N === undefined || blockSize === undefined) return undefined;
  const weight = dequantized(builder, { codes, scales, zeroPoints, bits, blockSize, rows: N, columns: K });
  if (weight === undefined) return undefined;
  const product = builder.op('MatMul', [x, builder.op('Transpose', [weight], { perm: [1, 0] })]);
  return [bias === undefined ? product : builder.op('Add', [product, bias])];
}

function expandLookup(
  { attributes }: Node,
  [codes, indices, scales, zeroPoints]: readonly (Value | undefined)[],
  builder: GraphBuilder,
): readonly Value[] | undefined {
  const {
    gather_axis: axis = 0,
    quantize_axis: along = 1,
    bits = 4,
    block_size: blockSize = 128,
  } = attributes as {
    readonly [name: string]: number;
  };
  const [rows, width] = codes?.shape ?? [];
  if (codes === undefined || indices === undefined || scales === undefined || codes.dtype !== 'uint8') return undefined;
  if (typeof rows !== 'number' || typeof width !== 'number' || codes.shape.length !== 2) return undefined;
  if (axis !== 0 || (along !== 1 && along !== -1)) return undefined;
  const columns = (width * 8) / bits;
  const table = dequantized(builder, { codes, scales, zeroPoints, bits, blockSize, rows, columns });
  return table === undefined ? undefined : [builder.op('Gather', [table, indices], { axis: 0 })];
}

interface Packed {
  readonly codes: Value;
  readonly scales: Value;
  readonly zeroPoints: Value | undefined;
  readonly bits: number;
  readonly blockSize: number;
  readonly rows: number;
  readonly columns: number;
}

/** The floating weight `[rows, columns]`. */
function dequantized(builder: GraphBuilder, packed: Packed): Value | undefined {
  const { codes, scales, zeroPoints, bits, blockSize, rows, columns } = packed;
  if ((bits !== 4 && bits !== 8) || (zeroPoints !== undefined && zeroPoints.dtype !== 'uint8')) return undefined;
  const blocks = Math.ceil(columns / blockSize);
  const unpacked = (value: Value, wanted: number): Value => unpack(builder, value, { bits, rows, wanted });
  const middle = fullTensor('uint8', [rows, blocks], 2 ** (bits - 1));
  return builder.op(
    'DequantizeLinear',
    [
      unpacked(codes, columns),
      builder.op('Reshape', [scales, builder.integers([rows, blocks])]),
      zeroPoints === undefined ? builder.constant(middle) : unpacked(zeroPoints, blocks),
    ],
    { axis: 1, block_size: blockSize },
  );
}

/** Codes one a byte, `[rows, wanted]`; each row begins at a byte of its own, of two codes the first in the lower half. */
function unpack(
  builder: GraphBuilder,
  value: Value,
  { bits, rows, wanted }: { readonly bits: number; readonly rows: number; readonly wanted: number },
): Value {
  let codes = builder.op('Reshape', [value, builder.integers([rows, -1])]);
  if (bits === 4) {
    const bytes = builder.op('Unsqueeze', [castTo(builder, codes, 'int32'), builder.integers([2])]);
    const sixteen = builder.scalar(16, 'int32');
    const halves = [builder.op('Mod', [bytes, sixteen]), builder.op('Div', [bytes, sixteen])];
    const pairs = castTo(builder, builder.op('Concat', halves, { axis: 2 }), 'uint8');
    codes = builder.op('Reshape', [pairs, builder.integers([rows, -1])]);
  }
  if (codes.shape[1] === wanted) return codes;
  const ends = [[0], [wanted], [1]].map((each) => builder.integers(each));
  return builder.op('Slice', [codes, ...ends]);
}
