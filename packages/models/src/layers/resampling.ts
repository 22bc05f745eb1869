import type { Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerOptions } from '../layer.js';
import { type DataFormat, inChannelsFirst } from './spatial.js';
import { type PerAxis, perAxis } from './tuples.js';

export interface UpSamplingOptions extends LayerOptions {
  /** How many times larger. Default 2. */
  readonly size?: PerAxis;
  /** `nearest` repeats, `bilinear` blends between the centres of pixels. Default `nearest`. */
  readonly interpolation?: 'nearest' | 'bilinear';
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** Repeats each step. Input `[batch, steps, channels]`, output `[batch, steps · size, channels]`. */
export function upSampling1d(options: Omit<UpSamplingOptions, 'interpolation' | 'dataFormat'> = {}): Layer {
  return upSampling('upSampling1d', 1, options);
}

/** Enlarges images. Input `[batch, height, width, channels]`, output `[batch, height · size, width · size, channels]`. */
export function upSampling2d(options: UpSamplingOptions = {}): Layer {
  return upSampling('upSampling2d', 2, options);
}

/** Repeats each voxel. Input `[batch, depth, height, width, channels]`. */
export function upSampling3d(options: Omit<UpSamplingOptions, 'interpolation'> = {}): Layer {
  return upSampling('upSampling3d', 3, options);
}

function upSampling(kind: string, rank: number, options: UpSamplingOptions): Layer {
  const scales = [1, 1, ...perAxis(options.size ?? 2, { rank, option: `${kind}: size` })];
  const attributes =
    options.interpolation === 'bilinear'
      ? ({ mode: 'linear', coordinate_transformation_mode: 'half_pixel' } as const)
      : ({ mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } as const);
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const { builder } = context;
      const request = { input: x as Value, rank, dataFormat: options.dataFormat };
      return inChannelsFirst(context, request, (first) =>
        builder.op('Resize', [first, undefined, builder.constant(scales)], attributes),
      );
    },
  });
}
