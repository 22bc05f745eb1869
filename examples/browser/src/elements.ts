/** The element with that id, which the page's HTML promises. */
export function element<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new ReferenceError(`the page has no element #${id}`);
  return found as unknown as T;
}

/** Pixels in 0…1 as black ink on a canvas of 28 × 28. */
export function paintDigit(canvas: HTMLCanvasElement, pixels: Float32Array): void {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const image = context.createImageData(canvas.width, canvas.height);
  pixels.forEach((value, index) => {
    image.data[index * 4 + 3] = Math.round(value * 255);
  });
  context.putImageData(image, 0, 0);
}

/** Lets a browser that has not got round to it paint. */
export const nextPaint = (): Promise<void> =>
  new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
