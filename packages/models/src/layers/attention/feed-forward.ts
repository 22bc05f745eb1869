import type { Value } from '@modelwright/core';
import { type ActivationLike, activationOf } from '../../activations.js';
import { createLayer, type Layer, type LayerContext, type LayerOptions, requireKnown } from '../../layer.js';
import type { ProjectionOptions } from '../kernel-options.js';
import { requirePositive } from '../tuples.js';
import { project } from './projection.js';

export interface FeedForwardOptions extends LayerOptions, ProjectionOptions {
  /** Features in between. */
  readonly intermediateDim: number;
  /** `gelu` and `geluTanh` are its exact and its approximate form. Default relu. */
  readonly activation?: ActivationLike;
  /** Multiply by a second projection: with `silu` SwiGLU, with `gelu` GEGLU, with `sigmoid` GLU. Default false. */
  readonly gated?: boolean;
  /** Share of the output that training drops. Default 0. */
  readonly dropout?: number;
}

/**
 * Two projections with an activation between them, at each step by itself: `activation(x·W₁ + b₁)·W₂ + b₂`, or gated
 * `(activation(x·W_g + b_g)∘(x·W₁ + b₁))·W₂ + b₂`.
 *
 * Input and output `[batch, …, features]`; weights `gate` (where gated), `intermediate`, `output`, each with `.kernel` and
 * `.bias`.
 *
 * @see Shazeer, arXiv:2002.05202 (gated forms).
 * @example
 * const swiGlu = feedForward({ intermediateDim: 256, activation: 'silu', gated: true, useBias: false });
 */
export function feedForward(options: FeedForwardOptions): Layer {
  requirePositive(options.intermediateDim, 'feedForward: intermediateDim');
  return createLayer({
    kind: 'feedForward',
    options,
    mask: 'keep',
    build: (context, [x]) => fed(context, x as Value, options),
  });
}

/** The same inside another layer, with `prefix` in front of the names of its weights. */
export function fed(context: LayerContext, x: Value, options: FeedForwardOptions, prefix = ''): Value {
  const { builder } = context;
  const { intermediateDim, activation = 'relu', gated = false, dropout = 0 } = options;
  const wide = (name: string): Value => project(context, x, { name: prefix + name, to: [intermediateDim] }, options);
  const bend = activationOf(activation);
  const inner = gated
    ? builder.op('Mul', [bend(builder, wide('gate')), wide('intermediate')])
    : bend(builder, wide('intermediate'));
  const to = [requireKnown(context, x, -1)];
  const output = project(context, inner, { name: `${prefix}output`, to }, options);
  return dropout === 0 ? output : builder.op('Dropout', [output, builder.scalar(dropout, output.dtype)]);
}
