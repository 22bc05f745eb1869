import type { Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerOptions } from '../layer.js';
import { explicitPadding } from './convolution.js';
import { type DataFormat, inChannelsFirst, type Padding, paddingAttributes } from './spatial.js';
import { type PerAxis, type PerSide, perAxis } from './tuples.js';

export interface PoolingOptions extends LayerOptions {
  /** Extents of the window. Default 2. */
  readonly poolSize?: PerAxis;
  /** Default: the window's extents, so that windows do not overlap. */
  readonly strides?: PerAxis;
  /** By rule, or in elements: one number for all sides, or `[before, after]` an axis. Default `valid`. */
  readonly padding?: Padding | PerSide;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** Largest value of each window. Input `[batch, steps, channels]`. */
export function maxPooling1d(options: PoolingOptions = {}): Layer {
  return pooling({ kind: 'maxPooling1d', rank: 1, op: 'MaxPool' }, options);
}

/** Largest value of each window. Input `[batch, height, width, channels]`, output `[batch, height', width', channels]`. */
export function maxPooling2d(options: PoolingOptions = {}): Layer {
  return pooling({ kind: 'maxPooling2d', rank: 2, op: 'MaxPool' }, options);
}

/** Largest value of each window. Input `[batch, depth, height, width, channels]`. */
export function maxPooling3d(options: PoolingOptions = {}): Layer {
  return pooling({ kind: 'maxPooling3d', rank: 3, op: 'MaxPool' }, options);
}

/** Mean of each window; padding does not count. Input `[batch, steps, channels]`. */
export function averagePooling1d(options: PoolingOptions = {}): Layer {
  return pooling({ kind: 'averagePooling1d', rank: 1, op: 'AveragePool' }, options);
}

/** Mean of each window; padding does not count. Input `[batch, height, width, channels]`. */
export function averagePooling2d(options: PoolingOptions = {}): Layer {
  return pooling({ kind: 'averagePooling2d', rank: 2, op: 'AveragePool' }, options);
}

/** Mean of each window; padding does not count. Input `[batch, depth, height, width, channels]`. */
export function averagePooling3d(options: PoolingOptions = {}): Layer {
  return pooling({ kind: 'averagePooling3d', rank: 3, op: 'AveragePool' }, options);
}

interface PoolingKind {
  readonly kind: string;
  readonly rank: number;
  readonly op: 'MaxPool' | 'AveragePool';
}

function pooling({ kind, rank, op }: PoolingKind, options: PoolingOptions): Layer {
  const size = perAxis(options.poolSize ?? 2, { rank, option: `${kind}: poolSize` });
  const strides = perAxis(options.strides ?? size, { rank, option: `${kind}: strides` });
  const dilations = new Array<number>(rank).fill(1);
  const padding = explicitPadding(kind, rank, options.padding) ?? 'valid';
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const input = x as Value;
      return inChannelsFirst(context, { input, rank, dataFormat: options.dataFormat }, (first) => {
        const padded = paddingAttributes(padding, { size, strides, dilations }, first.shape.slice(2));
        return context.builder.op(op, [first], { kernel_shape: size, strides, ...padded });
      });
    },
  });
}
