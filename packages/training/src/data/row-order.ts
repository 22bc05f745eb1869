import { createRandom, shuffleInPlace } from './random.js';
import type { Rows } from './rows.js';
import type { Sample } from './sample.js';
import type { DatasetSource } from './source.js';

/** In what order rows are visited in an epoch. */
export interface RowOrder {
  readonly rows: Rows;
  readonly count: number;
  /** The rows of one pass; not to be written into. */
  order(epoch: number): Uint32Array;
}

/** Rows as they lie in memory. */
export function inOrder(rows: Rows): RowOrder {
  const identity = new Uint32Array(rows.count);
  for (let index = 0; index < rows.count; index++) identity[index] = index;
  return { rows, count: rows.count, order: () => identity };
}

/** The same rows in the random order of each epoch. */
export function shuffled(selection: RowOrder, seedsOf: (epoch: number) => readonly number[]): RowOrder {
  const shuffle = (epoch: number): Uint32Array =>
    shuffleInPlace(selection.order(epoch).slice(), createRandom(...seedsOf(epoch)));
  return { ...selection, order: rememberLast(shuffle) };
}

/** Rows `start` up to `end` of each epoch's order. */
export function sliced(selection: RowOrder, start: number, end: number = selection.count): RowOrder {
  const [from, to] = [Math.min(start, selection.count), Math.min(end, selection.count)];
  return { rows: selection.rows, count: to - from, order: (epoch) => selection.order(epoch).subarray(from, to) };
}

/** Examples one by one. */
export function rowSource(selection: RowOrder): DatasetSource {
  return {
    cardinality: selection.count,
    batched: false,
    selection,
    async *open({ epoch, skip }) {
      for (const index of selection.order(epoch).subarray(skip)) yield selection.rows.row(index);
    },
  };
}

/** Batches copied row by row out of the columns: the fast road. */
export function batchSource(
  selection: RowOrder,
  { size, count }: { readonly size: number; readonly count: number },
): DatasetSource {
  return {
    cardinality: count,
    batched: true,
    async *open({ epoch, skip, recycleAfter }) {
      const order = selection.order(epoch);
      const old: Sample[] = [];
      for (let index = skip; index < count; index++) {
        const rows = order.subarray(index * size, (index + 1) * size);
        const isWhole = rows.length === size;
        const batch = selection.rows.gather(rows, isWhole && old.length === recycleAfter ? old.shift() : undefined);
        if (recycleAfter !== undefined && isWhole) old.push(batch);
        yield batch;
      }
    },
  };
}

// A pass and its resumption ask for the same epoch.
function rememberLast(compute: (epoch: number) => Uint32Array): (epoch: number) => Uint32Array {
  let last: { epoch: number; order: Uint32Array } | undefined;
  return (epoch) => {
    if (last?.epoch !== epoch) last = { epoch, order: compute(epoch) };
    return last.order;
  };
}
