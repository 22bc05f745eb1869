import type { Shape, TensorMap, Value } from '@modelwright/core';

/** What the symbols of a program stand for in one run. */
export type SymbolValues = ReadonlyMap<string, number>;

/** @returns the extents that the symbols of the declared inputs have in the given ones. */
export function bindSymbols(declared: readonly Value[], given: TensorMap): SymbolValues {
  const symbols = new Map<string, number>();
  for (const { name, shape } of declared)
    for (const [axis, extent] of shape.entries())
      if (typeof extent === 'string') symbols.set(extent, given[name]?.shape[axis] as number);
  return symbols;
}

/** @returns the shape as numbers, `undefined` when an extent is not one of the symbols (the runtime then tells). */
export function resolveShape(shape: Shape, symbols: SymbolValues): readonly number[] | undefined {
  const resolved = shape.map((extent) => (typeof extent === 'number' ? extent : symbols.get(extent)));
  return resolved.every((extent) => extent !== undefined) ? (resolved as number[]) : undefined;
}
