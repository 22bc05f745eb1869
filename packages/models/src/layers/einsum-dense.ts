import type { Value } from '@modelwright/core';
import { createLayer, floatDType, type Layer, type LayerContext } from '../layer.js';
import { activate, type KernelOptions } from './kernel-options.js';

export interface EinsumDenseOptions extends KernelOptions {
  /** Of input and kernel: `abc,cd->abd`, or with further axes `...x,xy->...y`. */
  readonly equation: string;
  /** Shape of the output without the batch axis; `null` where the input decides. */
  readonly outputShape: number | readonly (number | null)[];
  /** Axes of the output that the bias has. Default none: no bias. */
  readonly biasAxes?: string;
}

/**
 * A layer of products and sums by an equation: `y = activation(einsum(equation, x, kernel) + bias)`.
 *
 * Weights `kernel`, with the extents of its letters, and `bias`, with those of `biasAxes` (the axes behind the first of them
 * that it lacks have extent 1).
 *
 * @throws {@link ModelwrightError} `invalid-argument` when the equation does not fit the shapes.
 * @example
 * const heads = einsumDense({ equation: 'abc,cde->abde', outputShape: [null, 4, 16], biasAxes: 'de' })(sequence);
 */
export function einsumDense(options: EinsumDenseOptions): Layer {
  return createLayer({
    kind: 'einsumDense',
    options,
    mask: 'keep',
    build(context, [x]) {
      const { builder } = context;
      const input = x as Value;
      const plan = planOf(context, input, options);
      const dtype = floatDType(context, input);
      const kernel = context.addWeight({
        name: 'kernel',
        shape: plan.kernel,
        initializer: options.kernelInitializer ?? 'glorotUniform',
        regularizer: options.kernelRegularizer,
        constraint: options.kernelConstraint,
        dtype,
      });
      const product = builder.op('Einsum', [input, kernel], { equation: options.equation.replaceAll(' ', '') });
      if (plan.bias === undefined) return activate(context, product, options.activation);
      const bias = context.addWeight({
        name: 'bias',
        shape: plan.bias,
        initializer: options.biasInitializer ?? 'zeros',
        regularizer: options.biasRegularizer,
        constraint: options.biasConstraint,
        dtype,
      });
      return activate(context, builder.op('Add', [product, bias]), options.activation);
    },
  });
}

interface Plan {
  readonly kernel: readonly number[];
  readonly bias: readonly number[] | undefined;
}

function planOf(context: LayerContext, { shape }: Value, options: EinsumDenseOptions): Plan {
  const [, left, kernel, right] =
    /^([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)$/.exec(options.equation.replaceAll(' ', '')) ?? [];
  const wrong = (what: string): never =>
    context.fail(`equation '${options.equation}' ${what}`, { given: options.equation }, 'invalid-argument');
  if (left === undefined || kernel === undefined || right === undefined) return wrong("is not of the form 'ab,bc->ac'");
  const extents = new Map<string, number>();
  const given = typeof options.outputShape === 'number' ? [options.outputShape] : options.outputShape;
  const learn = (letters: string, sizes: readonly unknown[]): void => {
    [...letters].forEach((letter, at) => {
      const size = sizes[at];
      if (typeof size !== 'number') return;
      const known = extents.get(letter);
      if (known !== undefined && known !== size) wrong(`gives '${letter}' both ${known} and ${size}`);
      extents.set(letter, size);
    });
  };
  for (const [letters, sizes] of [
    [left, shape],
    [right, [undefined, ...given]],
  ] as const) {
    const [front, back] = letters.includes('...') ? letters.split('...') : [letters, ''];
    if (!letters.includes('...') && letters.length !== sizes.length)
      wrong(`has ${letters.length} axes '${letters}' for ${sizes.length}`);
    learn(front ?? '', sizes);
    learn(back ?? '', (back ?? '') === '' ? [] : sizes.slice(-(back ?? '').length));
  }
  const extentOf = (letter: string): number => extents.get(letter) ?? wrong(`leaves the extent of '${letter}' open`);
  const axes = options.useBias === false ? undefined : options.biasAxes;
  return { kernel: [...kernel].map(extentOf), bias: axes === undefined ? undefined : biasShape(right, axes, extentOf) };
}

function biasShape(output: string, axes: string, extentOf: (letter: string) => number): readonly number[] {
  const letters = [...output.replace('...', '')];
  const first = letters.findIndex((letter) => axes.includes(letter));
  return letters.slice(first).map((letter) => (axes.includes(letter) ? extentOf(letter) : 1));
}
