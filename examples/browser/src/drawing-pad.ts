import { normalizeDigit } from './normalize-digit.js';

const penWidth = 22;

/** A sheet to draw on with mouse, pen or finger; tells each change. */
export class DrawingPad {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #onChange: (digit: Float32Array | undefined) => void;
  #last: readonly [number, number] | undefined;
  #changeAnnounced = false;

  constructor(canvas: HTMLCanvasElement, onChange: (digit: Float32Array | undefined) => void) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
    this.#onChange = onChange;
    canvas.addEventListener('pointerdown', (event) => this.#begin(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(name, () => {
        this.#last = undefined;
      });
    }
  }

  clear(): void {
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#onChange(undefined);
  }

  /** Shows a digit of 28 × 28; it is passed on as it is. */
  show(sheet: HTMLCanvasElement, digit: Float32Array): void {
    const { width, height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    this.#context.drawImage(sheet, 0, 0, width, height);
    this.#onChange(digit);
  }

  #begin(event: PointerEvent): void {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#last = this.#placeOf(event);
    this.#line(this.#last, this.#last);
  }

  #move(event: PointerEvent): void {
    if (this.#last === undefined) return;
    const coalesced = event.getCoalescedEvents();
    for (const each of coalesced.length > 0 ? coalesced : [event]) {
      const place = this.#placeOf(each);
      this.#line(this.#last, place);
      this.#last = place;
    }
  }

  #line(from: readonly [number, number], to: readonly [number, number]): void {
    const context = this.#context;
    context.lineWidth = penWidth;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    this.#announce();
  }

  // At most once a frame: a fast pen makes many events.
  #announce(): void {
    if (this.#changeAnnounced) return;
    this.#changeAnnounced = true;
    requestAnimationFrame(() => {
      this.#changeAnnounced = false;
      this.#onChange(normalizeDigit(this.#canvas));
    });
  }

  #placeOf({ clientX, clientY }: PointerEvent): readonly [number, number] {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [((clientX - left) * this.#canvas.width) / width, ((clientY - top) * this.#canvas.height) / height];
  }
}
