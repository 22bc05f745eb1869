/** A maximum pool over images `[batch, height, width, channels]`. */
export interface MaximumWindows {
  readonly image: readonly number[];
  readonly places: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly [number, number];
  readonly begins: readonly [number, number];
}

/** Input, result and their gradients. */
export interface PoolImages {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly dy: Float32Array;
  /** Written. */
  readonly dx: Float32Array;
}

/** `dx = 0; dx[first place of window i where x = y[i]] += dy[i]`; NaN counts as largest. */
export function scatterToMaxima(images: PoolImages, { image, places, kernel, strides, begins }: MaximumWindows): void {
  images.dx.fill(0);
  const [batch, height, width, channels] = image as [number, number, number, number];
  const [, rows, columns] = places as [number, number, number];
  const waiting = new Uint8Array(channels);
  for (let place = 0; place < batch * rows * columns; place++) {
    const sample = Math.floor(place / (rows * columns));
    const row = (Math.floor(place / columns) % rows) * strides[0] - begins[0];
    const column = (place % columns) * strides[1] - begins[1];
    const [bottom, right] = [
      Math.min(row + (kernel[0] as number), height),
      Math.min(column + (kernel[1] as number), width),
    ];
    waiting.fill(1);
    for (let down = Math.max(row, 0); down < bottom; down++) {
      for (let across = Math.max(column, 0); across < right; across++) {
        scatterTap(images, waiting, {
          from: place * channels,
          to: ((sample * height + down) * width + across) * channels,
        });
      }
    }
  }
}

function scatterTap(
  { x, y, dy, dx }: PoolImages,
  waiting: Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  for (let channel = 0; channel < waiting.length; channel++) {
    const largest = y[from + channel] as number;
    const value = x[to + channel] as number;
    const isLargest = value === largest || (Number.isNaN(value) && Number.isNaN(largest));
    if (!isLargest || waiting[channel] === 0) continue;
    waiting[channel] = 0;
    dx[to + channel] = (dx[to + channel] as number) + (dy[from + channel] as number);
  }
}
