import { allocateData, sameShape, Tensor, type TensorData, type TensorMap } from '@modelwright/core';

type Block = Exclude<TensorData, string[]> & { set(source: ArrayLike<unknown>, offset: number): void };

/** Equal shapes one behind the other, along a new first axis. */
export function stackRuns(parts: readonly Tensor[]): Tensor {
  const { dtype, shape, elementCount } = parts[0] as Tensor;
  const data = allocateData(dtype, elementCount * parts.length) as Block;
  for (const [index, part] of parts.entries()) data.set(part.data as ArrayLike<unknown>, index * elementCount);
  return new Tensor(dtype, [parts.length, ...shape], data);
}

/** What {@link stackRuns} put together, each in memory of its own. */
export function unstackRuns({ dtype, shape, data }: Tensor): readonly Tensor[] {
  const [count = 0, ...rest] = shape;
  const length = rest.reduce((product, extent) => product * extent, 1);
  return Array.from(
    { length: count },
    (_, index) => new Tensor(dtype, rest, data.slice(index * length, (index + 1) * length) as TensorData),
  );
}

/** Cuts runs where shapes change, and where one call would take more memory than allowed. Order stays. */
export function chunkRuns(
  runs: readonly TensorMap[],
  {
    names,
    ownBytes,
    mostBytes,
  }: { readonly names: readonly string[]; readonly ownBytes: number; readonly mostBytes: number },
): readonly (readonly TensorMap[])[] {
  const chunks: TensorMap[][] = [];
  let last: TensorMap | undefined;
  let bytes = 0;
  for (const run of runs) {
    const more =
      ownBytes + names.reduce((sum, name) => sum + ((run[name]?.data as Block | undefined)?.byteLength ?? 0), 0);
    bytes += more;
    if (last === undefined || bytes > mostBytes || !names.every((name) => haveSameType(run[name], last?.[name]))) {
      chunks.push([]);
      bytes = more;
    }
    (chunks.at(-1) as TensorMap[]).push(run);
    last = run;
  }
  return chunks;
}

function haveSameType(a: Tensor | undefined, b: Tensor | undefined): boolean {
  return a !== undefined && b !== undefined && a.dtype === b.dtype && sameShape(a.shape, b.shape);
}
