import { onnxDataType, type Value } from '@modelwright/core';
import { createLayer, type Layer, type LayerContext, type LayerOptions } from '../layer.js';
import { type DataFormat, inChannelsFirst } from './spatial.js';

export interface GlobalPoolingOptions extends LayerOptions {
  /** Keep the axes that are reduced, with extent 1. Default false. */
  readonly keepDims?: boolean;
  /** Default `channelsLast`. */
  readonly dataFormat?: DataFormat;
}

/** Mean over all steps, or over those that a mask keeps. Input `[batch, steps, channels]`, output `[batch, channels]`. */
export function globalAveragePooling1d(options: GlobalPoolingOptions = {}): Layer {
  return globalPooling(
    { kind: 'globalAveragePooling1d', rank: 1, op: 'GlobalAveragePool', masked: maskedMean(options) },
    options,
  );
}

/** Mean over height and width. Input `[batch, height, width, channels]`, output `[batch, channels]`. */
export function globalAveragePooling2d(options: GlobalPoolingOptions = {}): Layer {
  return globalPooling({ kind: 'globalAveragePooling2d', rank: 2, op: 'GlobalAveragePool' }, options);
}

/** Mean over depth, height and width. Input `[batch, depth, height, width, channels]`, output `[batch, channels]`. */
export function globalAveragePooling3d(options: GlobalPoolingOptions = {}): Layer {
  return globalPooling({ kind: 'globalAveragePooling3d', rank: 3, op: 'GlobalAveragePool' }, options);
}

/** Largest value over all steps. Input `[batch, steps, channels]`, output `[batch, channels]`. */
export function globalMaxPooling1d(options: GlobalPoolingOptions = {}): Layer {
  return globalPooling({ kind: 'globalMaxPooling1d', rank: 1, op: 'GlobalMaxPool' }, options);
}

/** Largest value over height and width. Input `[batch, height, width, channels]`, output `[batch, channels]`. */
export function globalMaxPooling2d(options: GlobalPoolingOptions = {}): Layer {
  return globalPooling({ kind: 'globalMaxPooling2d', rank: 2, op: 'GlobalMaxPool' }, options);
}

/** Largest value over depth, height and width. Input `[batch, depth, height, width, channels]`, output `[batch, channels]`. */
export function globalMaxPooling3d(options: GlobalPoolingOptions = {}): Layer {
  return globalPooling({ kind: 'globalMaxPooling3d', rank: 3, op: 'GlobalMaxPool' }, options);
}

interface GlobalPoolingKind {
  readonly kind: string;
  readonly rank: number;
  readonly op: 'GlobalAveragePool' | 'GlobalMaxPool';
  /** How inputs with a mask are pooled; they are pooled like all others if there is none. */
  readonly masked?: (context: LayerContext, input: Value, mask: Value) => Value;
}

// Σ mask·x / Σ mask
function maskedMean({ dataFormat, keepDims }: GlobalPoolingOptions): NonNullable<GlobalPoolingKind['masked']> {
  return ({ builder }, input, mask) => {
    const [steps, channels] = dataFormat === 'channelsFirst' ? [2, 1] : [1, 2];
    const weights = builder.op('Unsqueeze', [
      builder.op('Cast', [mask], { to: onnxDataType(input.dtype) }),
      builder.integers([channels]),
    ]);
    const sum = (value: Value): Value =>
      builder.op('ReduceSum', [value, builder.integers([steps])], { keepdims: keepDims ? 1 : 0 });
    return builder.op('Div', [sum(builder.op('Mul', [input, weights])), sum(weights)]);
  };
}

function globalPooling({ kind, rank, op, masked }: GlobalPoolingKind, options: GlobalPoolingOptions): Layer {
  return createLayer({
    kind,
    options,
    build(context, [x]) {
      const [mask] = masked === undefined ? [] : context.masks;
      if (mask !== undefined && masked !== undefined) return masked(context, x as Value, mask);
      const request = { input: x as Value, rank, dataFormat: options.dataFormat };
      const pooled = inChannelsFirst(context, request, (first) => {
        const reduced = context.builder.op(op, [first]);
        return options.keepDims ? reduced : withoutSpace(context, reduced);
      });
      return pooled;
    },
  });
}

// `Flatten` keeps an open batch: [batch, channels, 1, 1] → [batch, channels]
function withoutSpace({ builder }: LayerContext, value: Value): Value {
  return builder.op('Flatten', [value], { axis: 1 });
}
