/** Window attributes as the nodes of convolutions and pools carry them. */
export interface WindowAttributes {
  readonly auto_pad?: string;
  readonly ceil_mode?: number;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
}

/** A window over two spatial axes, padding written out. */
export interface ImageWindow {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** tfjs's explicit padding of `[batch, height, width, channels]`. */
  readonly pad: readonly (readonly [number, number])[];
}

/** Strides, dilations and padding of one axis for a window over `extent` elements. */
export function axisWindow(
  attributes: WindowAttributes,
  axis: { readonly index: number; readonly rank: number; readonly extent: number; readonly kernel: number },
): { readonly stride: number; readonly dilation: number; readonly before: number; readonly after: number } {
  const { index, rank, extent, kernel } = axis;
  const stride = attributes.strides?.[index] ?? 1;
  const dilation = attributes.dilations?.[index] ?? 1;
  const covered = (kernel - 1) * dilation + 1;
  const mode = attributes.auto_pad ?? 'NOTSET';
  if (mode.startsWith('SAME')) {
    const total = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + covered - extent);
    const smaller = Math.floor(total / 2);
    const [before, after] = mode === 'SAME_UPPER' ? [smaller, total - smaller] : [total - smaller, smaller];
    return { stride, dilation, before, after };
  }
  const explicit = mode === 'NOTSET' ? attributes.pads : undefined;
  const before = explicit?.[index] ?? 0;
  const declared = explicit?.[index + rank] ?? 0;
  if (!attributes.ceil_mode) return { stride, dilation, before, after: declared };
  return { stride, dilation, before, after: roundedUpEnd({ extent, before, declared, covered, stride }) };
}

// Rounding up pads the end until the last window fits; no window starts in the padding.
function roundedUpEnd(axis: {
  readonly extent: number;
  readonly before: number;
  readonly declared: number;
  readonly covered: number;
  readonly stride: number;
}): number {
  const { extent, before, declared, covered, stride } = axis;
  const places = Math.ceil((extent + before + declared - covered) / stride) + 1;
  const started = Math.floor((extent + before - 1) / stride) + 1;
  return (Math.min(places, started) - 1) * stride + covered - extent - before;
}

/** The window over an image `[batch, height, width, channels]`. */
export function imageWindow(
  attributes: WindowAttributes,
  image: readonly number[],
  kernel: readonly number[],
): ImageWindow {
  const [rows, columns] = [0, 1].map((index) =>
    axisWindow(attributes, { index, rank: 2, extent: image[index + 1] as number, kernel: kernel[index] as number }),
  ) as [ReturnType<typeof axisWindow>, ReturnType<typeof axisWindow>];
  return {
    strides: [rows.stride, columns.stride],
    dilations: [rows.dilation, columns.dilation],
    pad: [
      [0, 0],
      [rows.before, rows.after],
      [columns.before, columns.after],
      [0, 0],
    ],
  };
}

/** Attributes of a window over one axis as those of a window over a row of height 1. */
export function asTwoAxes<A extends WindowAttributes & { readonly kernel_shape?: readonly number[] }>(
  attributes: A,
): A {
  const { strides, dilations, pads, kernel_shape: kernel } = attributes;
  return {
    ...attributes,
    ...(strides && { strides: [1, ...strides] }),
    ...(dilations && { dilations: [1, ...dilations] }),
    ...(pads && { pads: [0, pads[0] as number, 0, pads[1] as number] }),
    ...(kernel && { kernel_shape: [1, ...kernel] }),
  };
}
