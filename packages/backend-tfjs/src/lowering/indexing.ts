import { fromNumbers, ModelwrightError, Tensor } from '@modelwright/core';
import type { TensorInfo } from '../device/tfjs-core.js';
import { expand } from './elementwise.js';
import {
  countOf,
  host,
  type KernelLowering,
  kernel,
  type LoweringFamily,
  type StepScope,
  takesAt,
} from './lowering.js';
import { fromFront } from './shapes.js';

/** An index counted from the front; throws `value-out-of-range` for one outside of the axis. */
function checkedIndex(index: number, extent: number): number {
  const at = index < 0 ? index + extent : index;
  if (at >= 0 && at < extent) return at;
  throw new ModelwrightError('value-out-of-range', `index ${index} is outside of an axis of extent ${extent}`, {
    given: index,
    allowed: extent,
  });
}

function places(positions: ArrayLike<number>, shape: readonly number[]): Tensor {
  return fromNumbers('int32', shape, positions);
}

/** Flat places of `GatherElements` and `ScatterElements`: the indices replace one coordinate. */
function elementPlaces(
  data: readonly number[],
  axis: number,
  shape: readonly number[],
  indices: readonly number[],
): Int32Array {
  const strides = stridesOf(data);
  const coordinates = shape.map(() => 0);
  return Int32Array.from(indices, (index) => {
    let at = checkedIndex(index, data[axis] as number) * (strides[axis] as number);
    coordinates.forEach((coordinate, other) => {
      if (other !== axis) at += coordinate * (strides[other] as number);
    });
    advance(coordinates, shape);
    return at;
  });
}

function stridesOf(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => countOf(shape.slice(axis + 1)));
}

function advance(coordinates: number[], shape: readonly number[]): void {
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    coordinates[axis] = (coordinates[axis] as number) + 1;
    if ((coordinates[axis] as number) < (shape[axis] as number)) return;
    coordinates[axis] = 0;
  }
}

/** Row numbers of `GatherND` and `ScatterND`: `data` as rows behind its first `depth` axes. */
function rowPlaces(data: readonly number[], depth: number, indices: readonly number[]): Int32Array {
  const strides = stridesOf(data.slice(0, depth));
  const rows = new Int32Array(depth === 0 ? 0 : indices.length / depth);
  for (let row = 0; row < rows.length; row++) {
    let at = 0;
    for (let axis = 0; axis < depth; axis++) {
      at += checkedIndex(indices[row * depth + axis] as number, data[axis] as number) * (strides[axis] as number);
    }
    rows[row] = at;
  }
  return rows;
}

function gatherRows(scope: StepScope, x: TensorInfo, rows: Tensor): TensorInfo {
  return scope.run('GatherV2', { x, indices: scope.upload(rows) }, { axis: 0, batchDims: 0 });
}

const gather: KernelLowering<'Gather'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32', 'int32')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const axis = fromFront(node.attributes.axis, x.shape.length);
    const indices = scope.held(1);
    const rows = Int32Array.from(indices.numbers(), (index) => checkedIndex(index, x.shape[axis] as number));
    const taken = scope.run(
      'GatherV2',
      { x, indices: scope.upload(places(rows, [rows.length])) },
      { axis, batchDims: 0 },
    );
    return scope.reshape(taken, [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]);
  };
});

const gatherElements: KernelLowering<'GatherElements'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32', 'int32')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const indices = scope.held(1);
    const axis = fromFront(node.attributes.axis, x.shape.length);
    const flat = elementPlaces(x.shape, axis, indices.shape, indices.numbers());
    const taken = gatherRows(scope, scope.reshape(x, [countOf(x.shape)]), places(flat, [flat.length]));
    return scope.reshape(taken, indices.shape);
  };
});

const gatherND: KernelLowering<'GatherND'> = kernel((node) => {
  if (node.attributes.batch_dims !== 0 || !takesAt(node, 0, 'float32', 'int32')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const indices = scope.held(1);
    const depth = indices.shape.at(-1) as number;
    const rows = rowPlaces(x.shape, depth, indices.numbers());
    const tail = x.shape.slice(depth);
    const table = scope.reshape(x, [countOf(x.shape.slice(0, depth)), countOf(tail)]);
    return scope.reshape(gatherRows(scope, table, places(rows, [rows.length])), [
      ...indices.shape.slice(0, -1),
      ...tail,
    ]);
  };
});

interface Scatter {
  readonly table: TensorInfo;
  readonly rows: Int32Array;
  readonly updates: TensorInfo;
  readonly adds: boolean;
}

// The scatter kernel sums what falls on one place, which is a segment sum.
function scatter(scope: StepScope, { table, rows, updates, adds }: Scatter): TensorInfo {
  const indices = scope.upload(places(rows, [rows.length, 1]));
  if (adds) {
    const sums = scope.run('ScatterNd', { indices, updates }, { shape: [...table.shape] });
    return scope.run('Add', { a: table, b: sums });
  }
  // The kernel of the plain backend writes into the tensor it is given.
  const tensor = scope.backendName === 'cpu' ? scope.run('Add', { a: table, b: scope.scalar(0) }) : table;
  return scope.run('TensorScatterUpdate', { tensor, indices, updates }, {});
}

/** Without a reduction the last update of a place holds; kernels do not promise an order. */
function isDistinct(rows: Int32Array): boolean {
  return new Set(rows).size === rows.length;
}

const scatterElements: KernelLowering<'ScatterElements'> = kernel((node) => {
  const { axis, reduction } = node.attributes;
  if (!takesAt(node, 0, 'float32') || (reduction !== 'none' && reduction !== 'add')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const indices = scope.held(1);
    const all = elementPlaces(x.shape, fromFront(axis, x.shape.length), indices.shape, indices.numbers());
    const { rows, kept } = reduction === 'add' ? { rows: all, kept: undefined } : lastOfEach(all);
    const flat = scope.reshape(scope.device(2), [all.length]);
    const updates = kept === undefined ? flat : gatherRows(scope, flat, places(kept, [kept.length]));
    const table = scope.reshape(x, [countOf(x.shape)]);
    return scope.reshape(scatter(scope, { table, rows, updates, adds: reduction === 'add' }), x.shape);
  };
});

const scatterND: KernelLowering<'ScatterND'> = kernel((node) => {
  const { reduction } = node.attributes;
  if (!takesAt(node, 0, 'float32') || (reduction !== 'none' && reduction !== 'add')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const indices = scope.held(1);
    const depth = indices.shape.at(-1) as number;
    const all = rowPlaces(x.shape, depth, indices.numbers());
    const { rows, kept } = reduction === 'add' ? { rows: all, kept: undefined } : lastOfEach(all);
    const width = countOf(x.shape.slice(depth));
    const flat = scope.reshape(scope.device(2), [all.length, width]);
    const updates = kept === undefined ? flat : gatherRows(scope, flat, places(kept, [kept.length]));
    const table = scope.reshape(x, [countOf(x.shape.slice(0, depth)), width]);
    return scope.reshape(scatter(scope, { table, rows, updates, adds: reduction === 'add' }), x.shape);
  };
});

function lastOfEach(all: Int32Array): { readonly rows: Int32Array; readonly kept: Int32Array | undefined } {
  if (isDistinct(all)) return { rows: all, kept: undefined };
  const last = new Map<number, number>();
  for (const [at, row] of all.entries()) last.set(row, at);
  return { rows: Int32Array.from(last.keys()), kept: Int32Array.from(last.values()) };
}

const oneHot: KernelLowering<'OneHot'> = kernel((node) => {
  const rank = node.outputs[0]?.shape.length ?? 0;
  const { dtype } = node.outputs[0] ?? {};
  if (dtype !== 'float32' || fromFront(node.attributes.axis, rank) !== rank - 1) return undefined;
  return (scope) => {
    const indices = scope.held(0);
    const depth = scope.held(1).numbers()[0] as number;
    const [off, on] = scope.held(2).numbers() as [number, number];
    // Indices from the end count; all others outside give no place. The kernel of wasm knows neither, nor fractions.
    const hot = new Float32Array(countOf(indices.shape) * depth).fill(off);
    indices.numbers().forEach((index, row) => {
      const at = index < 0 ? index + depth : index;
      if (at >= 0 && at < depth) hot[row * depth + at] = on;
    });
    return new Tensor('float32', [...indices.shape, depth], hot);
  };
});

const trilu: KernelLowering<'Trilu'> = kernel((node) => {
  if (!takesAt(node, 0, 'float32')) return undefined;
  return (scope) => {
    const x = scope.device(0);
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const shift = scope.inputs[1]?.numbers()[0] ?? 0;
    const keep = new Uint8Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const isKept = node.attributes.upper === 1 ? column - row >= shift : column - row <= shift;
        keep[row * columns + column] = isKept ? 1 : 0;
      }
    }
    const condition = expand(scope, scope.upload(new Tensor('bool', [rows, columns], keep)), x.shape);
    const e = scope.run('Fill', {}, { shape: [...x.shape], value: 0, dtype: 'float32' });
    return scope.run('Select', { condition, t: x, e });
  };
});

const decidesShape = 'its shape depends on its values';

/** Reading and writing at places. */
export const indexingLowerings: LoweringFamily<
  | 'Gather'
  | 'GatherElements'
  | 'GatherND'
  | 'ScatterElements'
  | 'ScatterND'
  | 'OneHot'
  | 'Trilu'
  | 'NonZero'
  | 'Compress'
  | 'EyeLike'
> = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  OneHot: oneHot,
  Trilu: trilu,
  NonZero: host(decidesShape),
  Compress: host(decidesShape),
  EyeLike: host('small and made once'),
};
