import type { Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions } from '../layer.js';
import { type DataFormat, inChannelsFirst } from './spatial.js';
import { type PerSide, perSide } from './tuples.js';

export interface PaddingOptions extends LayerOptions {
  /** Zeros added: on all sides alike, or by axis `[before, after]`. Default 1. */
  readonly padding?: PerSide;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

export interface CroppingOptions extends LayerOptions {
  /** Elements cut off: on all sides alike, or by axis `[before, after]`. Default 1. */
  readonly cropping?: PerSide;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** Zeros around the steps. Input `[batch, steps, channels]`. */
export function zeroPadding1d(options: PaddingOptions = {}): Layer {
  return zeroPadding('zeroPadding1d', 1, options);
}

/** Zeros around images. Input `[batch, height, width, channels]`. */
export function zeroPadding2d(options: PaddingOptions = {}): Layer {
  return zeroPadding('zeroPadding2d', 2, options);
}

/** Zeros around volumes. Input `[batch, depth, height, width, channels]`. */
export function zeroPadding3d(options: PaddingOptions = {}): Layer {
  return zeroPadding('zeroPadding3d', 3, options);
}

/** Cuts steps off. Input `[batch, steps, channels]`. */
export function cropping1d(options: CroppingOptions = {}): Layer {
  return cropping('cropping1d', 1, options);
}

/** Cuts the edges off images. Input `[batch, height, width, channels]`. */
export function cropping2d(options: CroppingOptions = {}): Layer {
  return cropping('cropping2d', 2, options);
}

/** Cuts the edges off volumes. Input `[batch, depth, height, width, channels]`. */
export function cropping3d(options: CroppingOptions = {}): Layer {
  return cropping('cropping3d', 3, options);
}

function zeroPadding(kind: string, rank: number, options: PaddingOptions): Layer {
  const sides = perSide(options.padding ?? 1, rank, `${kind}: padding`);
  const pads = [0, 0, ...sides.map(([before]) => before), 0, 0, ...sides.map(([, after]) => after)];
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const { builder } = context;
      const request = { input: x as Value, rank, dataFormat: options.dataFormat };
      return inChannelsFirst(context, request, (first) => builder.op('Pad', [first, builder.integers(pads)]));
    },
  });
}

// Past the end of any axis.
const toTheEnd = 2 ** 31 - 1;

function cropping(kind: string, rank: number, options: CroppingOptions): Layer {
  const sides = perSide(options.cropping ?? 1, rank, `${kind}: cropping`);
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const { builder } = context;
      const request = { input: x as Value, rank, dataFormat: options.dataFormat };
      return inChannelsFirst(context, request, (first) => {
        requireRemainder(context, first, sides);
        const starts = builder.integers(sides.map(([before]) => before));
        const ends = builder.integers(sides.map(([, after]) => (after === 0 ? toTheEnd : -after)));
        return builder.op('Slice', [first, starts, ends, builder.integers(sides.map((_, axis) => axis + 2))]);
      });
    },
  });
}

function requireRemainder(
  context: LayerContext,
  { shape }: Value,
  sides: readonly (readonly [number, number])[],
): void {
  sides.forEach(([before, after], axis) => {
    const extent = shape[axis + 2];
    if (typeof extent === 'number' && before + after >= extent) {
      context.fail(`cuts off ${before} + ${after}, which leaves nothing of an axis of ${extent}`, {
        given: [before, after],
        allowed: extent,
      });
    }
  });
}
