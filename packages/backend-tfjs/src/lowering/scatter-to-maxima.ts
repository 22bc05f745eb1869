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
export function scatterToMaxima(images: PoolImages, windows: MaximumWindows): void {
  images.dx.fill(0);
  if (isHalving(windows)) scatterToQuarters(images, windows);
  else scatterToWindows(images, windows);
}

function scatterToWindows(images: PoolImages, { image, places, kernel, strides, begins }: MaximumWindows): void {
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
    if (!isLargest(value, largest) || waiting[channel] === 0) continue;
    waiting[channel] = 0;
    dx[to + channel] = (dx[to + channel] as number) + (dy[from + channel] as number);
  }
}

/** Whether the windows are the squares of four that a pool which halves an image has. */
function isHalving({ image, places, kernel, strides, begins }: MaximumWindows): boolean {
  const isSquare = [...kernel, ...strides].every((each) => each === 2) && begins.every((each) => each === 0);
  return isSquare && [1, 2].every((axis) => 2 * (places[axis] as number) <= (image[axis] as number));
}

function scatterToQuarters(images: PoolImages, { image, places }: MaximumWindows): void {
  const [, height, width, channels] = image as [number, number, number, number];
  const [batch, rows, columns] = places as [number, number, number];
  for (let place = 0; place < batch * rows * columns; place++) {
    const sample = Math.floor(place / (rows * columns));
    const row = (Math.floor(place / columns) % rows) * 2;
    const corner = ((sample * height + row) * width + (place % columns) * 2) * channels;
    scatterQuarter(images, { from: place * channels, corner, below: corner + width * channels, channels });
  }
}

// Windows do not overlap, so every element is written once and nothing is read back.
function scatterQuarter(
  { x, y, dy, dx }: PoolImages,
  window: { readonly from: number; readonly corner: number; readonly below: number; readonly channels: number },
): void {
  const { from, corner, below, channels } = window;
  for (let channel = 0; channel < channels; channel++) {
    const largest = y[from + channel] as number;
    const first = corner + channel;
    const second = first + channels;
    const third = below + channel;
    let at = third + channels;
    if (isLargest(x[first] as number, largest)) at = first;
    else if (isLargest(x[second] as number, largest)) at = second;
    else if (isLargest(x[third] as number, largest)) at = third;
    dx[at] = dy[from + channel] as number;
  }
}

function isLargest(value: number, largest: number): boolean {
  return value === largest || (Number.isNaN(value) && Number.isNaN(largest));
}
