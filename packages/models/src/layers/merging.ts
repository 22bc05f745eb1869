import { formatShape, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerMasks, type LayerOptions } from '../layer.js';
import { concatenatedMask, unitedMask } from './masking.js';

const anyNumber = { min: 2, max: Number.POSITIVE_INFINITY };
const two = { min: 2, max: 2 };

/** Sum of the inputs, element by element; extents of 1 are spread. */
export function add(options: LayerOptions = {}): Layer {
  return merge('add', options, ({ builder }, inputs) => inputs.reduce((sum, input) => builder.op('Add', [sum, input])));
}

/** The first input minus the second. */
export function subtract(options: LayerOptions = {}): Layer {
  return merge('subtract', options, ({ builder }, inputs) => builder.op('Sub', inputs), { inputCount: two });
}

/** Product of the inputs, element by element. */
export function multiply(options: LayerOptions = {}): Layer {
  return merge('multiply', options, ({ builder }, inputs) =>
    inputs.reduce((product, input) => builder.op('Mul', [product, input])),
  );
}

/** Mean of the inputs, element by element. */
export function average(options: LayerOptions = {}): Layer {
  return merge('average', options, ({ builder }, inputs) => {
    const sum = inputs.reduce((total, input) => builder.op('Add', [total, input]));
    return builder.op('Mul', [sum, builder.scalar(1 / inputs.length, sum.dtype)]);
  });
}

/** Largest of the inputs, element by element. */
export function maximum(options: LayerOptions = {}): Layer {
  return merge('maximum', options, ({ builder }, inputs) => builder.op('Max', inputs));
}

/** Smallest of the inputs, element by element. */
export function minimum(options: LayerOptions = {}): Layer {
  return merge('minimum', options, ({ builder }, inputs) => builder.op('Min', inputs));
}

/** The inputs side by side along `axis` (default −1); their other extents are equal. */
export function concatenate(options: LayerOptions & { readonly axis?: number } = {}): Layer {
  const { axis = -1 } = options;
  return merge('concatenate', options, ({ builder }, inputs) => builder.op('Concat', inputs, { axis }), {
    mask: (context, inputs) => [concatenatedMask(context, inputs, axis)],
  });
}

export interface DotOptions extends LayerOptions {
  /** Axis of each input that is summed over, or one for both; the batch, 0, is kept. */
  readonly axes: number | readonly [number, number];
  /** Make the vectors along those axes of length 1 before: cosine proximity. Default false. */
  readonly normalize?: boolean;
}

/**
 * Inner products of two inputs along an axis of each, example by example:
 * `[batch, …a, k, …b] · [batch, …c, k, …d]` → `[batch, …a, …b, …c, …d]`; vectors give `[batch, 1]`.
 *
 * @throws {@link ModelwrightError} `shape-mismatch` when the summed extents differ, `invalid-argument` for axis 0.
 */
export function dot(options: DotOptions): Layer {
  const axes = typeof options.axes === 'number' ? ([options.axes, options.axes] as const) : options.axes;
  const build = (context: LayerContext, inputs: readonly Value[]): Value => {
    const { builder } = context;
    const places = inputs.map((input, index) => dotAxis(context, input, axes[index] as number));
    const factors = options.normalize
      ? inputs.map((input, index) => unitVectors(context, input, places[index] as number))
      : inputs;
    const product = builder.op('Einsum', factors, { equation: dotEquation(inputs, places) });
    return product.shape.length > 1 ? product : builder.op('Unsqueeze', [product, builder.integers([1])]);
  };
  return createLayer({ kind: 'dot', options, inputCount: two, build });
}

function dotAxis(context: LayerContext, { shape }: Value, axis: number): number {
  const at = axis < 0 ? axis + shape.length : axis;
  if (at >= 1 && at < shape.length) return at;
  return context.fail(
    `axis ${axis} is not among 1…${shape.length - 1} of its input ${formatShape(shape)}`,
    { given: axis },
    'invalid-argument',
  );
}

function dotEquation(inputs: readonly Value[], places: readonly number[]): string {
  // a: batch, k: summed, letters from c on: all other axes.
  let next = 'c'.charCodeAt(0);
  const letter = (): string => {
    const code = next++;
    return String.fromCharCode(code >= 'k'.charCodeAt(0) ? code + 1 : code);
  };
  const terms = inputs.map(({ shape }, index) =>
    shape.map((_, axis) => (axis === 0 ? 'a' : axis === places[index] ? 'k' : letter())).join(''),
  );
  return `${terms.join(',')}->a${terms.join('').replace(/[ak]/g, '')}`;
}

function unitVectors({ builder }: LayerContext, input: Value, axis: number): Value {
  const square = builder.op('ReduceSum', [builder.op('Mul', [input, input]), builder.integers([axis])]);
  return builder.op('Div', [
    input,
    builder.op('Sqrt', [builder.op('Max', [square, builder.scalar(1e-12, input.dtype)])]),
  ]);
}

interface MergeOptions {
  readonly inputCount?: { readonly min: number; readonly max: number };
  readonly mask?: LayerMasks;
}

function merge(
  kind: string,
  options: LayerOptions,
  build: (context: LayerContext, inputs: readonly Value[]) => Value,
  { inputCount = anyNumber, mask = (context) => [unitedMask(context)] }: MergeOptions = {},
): Layer {
  return createLayer({
    kind,
    options,
    inputCount,
    mask,
    build(context, inputs) {
      const ranks = new Set(inputs.map(({ shape }) => shape.length));
      if (ranks.size > 1) {
        const shapes = inputs.map(({ shape }) => formatShape(shape)).join(', ');
        return context.fail(`its inputs need one rank, but are ${shapes}`, { given: shapes });
      }
      return build(context, inputs);
    },
  });
}
