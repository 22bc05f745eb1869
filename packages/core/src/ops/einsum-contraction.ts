import { stridesOf } from '../tensor/shape.js';
import { reshapeTensor, type Tensor } from '../tensor/tensor.js';
import { type EinsumTerms, extentsOfLabels } from './einsum-equation.js';
import { matrixProduct } from './matrix-product.js';
import { reduceTensor } from './reduction-kernels.js';
import { stridedCopy, transposeTensor } from './strided-copy.js';

/** A tensor with one distinct label an axis. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

/** Contracts operands pairwise from the left, each pair as one batched matrix product. */
export function contractTensors(terms: EinsumTerms, operands: readonly Tensor[]): Tensor {
  const extents = extentsOfLabels(
    terms,
    operands.map(({ shape }) => shape),
  ) as ReadonlyMap<string, number>;
  const parts = operands.map((operand, index) =>
    distinct(operand, terms.operands[index] as readonly string[], extents),
  );
  let result = parts[0] as Labelled;
  for (let index = 1; index < parts.length; index++) {
    const later = parts.slice(index + 1).flatMap(({ labels }) => labels);
    result = contractPair(result, parts[index] as Labelled, new Set([...terms.output, ...later]));
  }
  return arrange(sumOthers(result, new Set(terms.output)), terms.output);
}

// Takes diagonals of repeated labels and drops axes of extent 1 that broadcast.
function distinct(tensor: Tensor, labels: readonly string[], extents: ReadonlyMap<string, number>): Labelled {
  const own = stridesOf(tensor.shape);
  const strides = new Map<string, number>();
  for (const [axis, label] of labels.entries()) {
    const extent = extents.get(label) as number;
    if (tensor.shape[axis] === extent) strides.set(label, (strides.get(label) ?? 0) + (own[axis] as number));
  }
  const kept = [...strides.keys()];
  const shape = kept.map((label) => extents.get(label) as number);
  return { tensor: stridedCopy(tensor, { shape, strides: [...strides.values()] }), labels: kept };
}

function contractPair(a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const left = sumOthers(a, new Set([...needed, ...b.labels]));
  const right = sumOthers(b, new Set([...needed, ...a.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const summed = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const product = matrixProduct(grouped(left, [batch, rows, summed]), grouped(right, [batch, summed, columns]));
  const extentOf = (label: string): number => {
    const at = left.labels.indexOf(label);
    return (at >= 0 ? left.tensor.shape[at] : right.tensor.shape[right.labels.indexOf(label)]) as number;
  };
  const labels = [...batch, ...rows, ...columns];
  return { tensor: reshapeTensor(product, labels.map(extentOf)), labels };
}

// One axis a group of labels.
function grouped(part: Labelled, groups: readonly (readonly string[])[]): Tensor {
  const shape = groups.map((group) =>
    group.reduce((product, label) => product * (part.tensor.shape[part.labels.indexOf(label)] as number), 1),
  );
  return reshapeTensor(arrange(part, groups.flat()), shape);
}

function sumOthers({ tensor, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { tensor, labels };
  const sums = reduceTensor(
    tensor,
    {
      float: { initial: 0, step: (sum, x) => sum + x },
      integer: { initial: 0n, step: (sum, x) => sum + x },
    },
    axes,
  );
  const kept = labels.filter((label) => needed.has(label));
  return {
    tensor: reshapeTensor(
      sums,
      tensor.shape.filter((_, axis) => !axes.includes(axis)),
    ),
    labels: kept,
  };
}

function arrange({ tensor, labels }: Labelled, order: readonly string[]): Tensor {
  if (order.every((label, axis) => label === labels[axis])) return tensor;
  return transposeTensor(
    tensor,
    order.map((label) => labels.indexOf(label)),
  );
}
