import { ModelwrightError } from '../errors.js';

/** An extent: a number, or the name (or expression over names) of one that is known only when the program runs. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];

/**
 * Stands for the shape of a value of which not even the number of axes is known while the graph is built: what a foreign
 * op gives where nothing declares it, and all that is computed from it. Such nodes are kept without being checked.
 */
export const unknownShape: Shape = ['?unknown'];

/** Whether a shape is {@link unknownShape}. */
export function isUnknownShape(shape: Shape): boolean {
  return shape.length === 1 && shape[0] === unknownShape[0];
}

/** Whether every extent is a number. */
export function isConcrete(shape: Shape): shape is readonly number[] {
  return shape.every((extent) => typeof extent === 'number');
}

/** The shape as numbers; throws `unsupported-shape` naming `what` when an extent is symbolic. */
export function concreteShape(shape: Shape, what: string): readonly number[] {
  if (isConcrete(shape)) return shape;
  throw new ModelwrightError(
    'unsupported-shape',
    `${what} has the symbolic shape ${formatShape(shape)}; concrete extents are needed here`,
    { given: shape },
  );
}

/** `[batch,3,28,28]` */
export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

/** Whether two extents are surely equal: equal numbers or the same symbol. */
export function sameDimension(a: Dimension, b: Dimension): boolean {
  return a === b;
}

/** Whether two extents may be equal: only two different numbers are surely not. */
export function compatibleDimension(a: Dimension, b: Dimension): boolean {
  return typeof a === 'string' || typeof b === 'string' || a === b;
}

/** Whether two shapes are surely equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** Whether two shapes may be equal. */
export function compatibleShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => compatibleDimension(extent, b[axis] as Dimension));
}

function term(value: Dimension): string {
  return typeof value === 'string' && /[+\-*/ ]/.test(value) ? `(${value})` : String(value);
}

/** `a + b`, symbolic if either is. */
export function addDimensions(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a === b) return multiplyDimensions(2, a);
  const [left, right] = [splitOffset(a), splitOffset(b)];
  const offset = left.offset + right.offset;
  if (left.symbol === '' || right.symbol === '') return withOffset(left.symbol + right.symbol, offset);
  return withOffset(`${left.symbol}+${right.symbol}`, offset);
}

// `seq-1` is `seq` and −1, so that offsets meet again: (seq − 1) + 1 is seq.
function splitOffset(value: Dimension): { readonly symbol: string; readonly offset: number } {
  if (typeof value === 'number') return { symbol: '', offset: value };
  const parts = /^([\w?.*]+(?:\+[\w?.*]+)*?)([+-]\d+)$/.exec(value);
  if (parts !== null) return { symbol: parts[1] as string, offset: Number(parts[2]) };
  return { symbol: /^[\w?.*+]+$/.test(value) ? value : term(value), offset: 0 };
}

function withOffset(symbol: string, offset: number): Dimension {
  if (symbol === '') return offset;
  // A lone parenthesised term needs its parentheses no longer.
  if (offset === 0) return /^\([^()]*\)$/.test(symbol) ? symbol.slice(1, -1) : symbol;
  return offset < 0 ? `${symbol}-${-offset}` : `${symbol}+${offset}`;
}

/** `a · b`, symbolic if either is. */
export function multiplyDimensions(a: Dimension, b: Dimension): Dimension {
  const [left, right] = [factorsOf(a), factorsOf(b)];
  return product(left.number * right.number, [...left.symbols, ...right.symbols]);
}

interface Factors {
  readonly number: number;
  readonly symbols: readonly string[];
}

function factorsOf(value: Dimension): Factors {
  if (typeof value === 'number') return { number: value, symbols: [] };
  if (!/^[\w?.*]+$/.test(value)) return { number: 1, symbols: [term(value)] };
  const factors = value.split('*');
  const symbols = factors.filter((factor) => !/^\d+$/.test(factor));
  const numbers = factors.filter((factor) => /^\d+$/.test(factor)).map(Number);
  return { number: numbers.reduce((all, factor) => all * factor, 1), symbols };
}

function product(number: number, symbols: readonly string[]): Dimension {
  if (number === 0 || symbols.length === 0) return number;
  const text = [...(number === 1 ? [] : [number]), ...symbols].join('*');
  return /^\([^()]*\)$/.test(text) ? text.slice(1, -1) : text;
}

/** `⌊a / b⌋`, symbolic if either is. */
export function floorDivideDimensions(a: Dimension, b: Dimension): Dimension {
  if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b);
  if (b === 1) return a;
  if (a === b) return 1;
  return divideProduct(a, b) ?? `floor(${term(a)}/${term(b)})`;
}

// `4*batch / 4` is `batch`: the common case of a reshape undone.
function divideProduct(a: Dimension, b: Dimension): Dimension | undefined {
  const [dividend, divisor] = [factorsOf(a), factorsOf(b)];
  const symbols = [...dividend.symbols];
  for (const symbol of divisor.symbols) {
    const at = symbols.indexOf(symbol);
    if (at < 0) return undefined;
    symbols.splice(at, 1);
  }
  return dividend.number % divisor.number === 0 ? product(dividend.number / divisor.number, symbols) : undefined;
}

/** `∏ shape`, symbolic if any extent is. */
export function elementCountOfShape(shape: Shape): Dimension {
  return shape.reduce<Dimension>(multiplyDimensions, 1);
}

/** `axis` counted from the front; throws `invalid-attribute` outside `[-rank, rank)`. */
export function normalizeAxis(axis: number, rank: number, what = 'axis'): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ModelwrightError(
      'invalid-attribute',
      `${what} ${axis} is out of range for rank ${rank}; allowed is ${-rank}…${rank - 1}`,
      {
        given: axis,
      },
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/**
 * NumPy broadcasting of any number of shapes. A symbol meets 1 or itself freely; against a number > 1 the number wins.
 *
 * @returns the common shape, or undefined when two extents contradict each other.
 */
export function broadcastShapes(...shapes: readonly Shape[]): Shape | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result: Dimension[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let common: Dimension = 1;
    for (const shape of shapes) {
      const at = axis - (rank - shape.length);
      const next: Dimension | undefined = at < 0 ? 1 : broadcastDimension(common, shape[at] as Dimension);
      if (at >= 0) {
        if (next === undefined) return undefined;
        common = next;
      }
    }
    result.push(common);
  }
  return result;
}

function broadcastDimension(a: Dimension, b: Dimension): Dimension | undefined {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === 'number') return typeof b === 'number' ? undefined : a;
  return typeof b === 'number' ? b : `broadcast(${a},${b})`;
}

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}
