/// <reference lib="dom" />

const side = 280;
const penWidth = 22;

/** Colours of a sheet: what the model was trained on, light on dark or dark on light. */
export interface SheetColours {
  readonly ink: string;
  readonly paper: string;
}

/** A sheet to draw on with mouse, pen or finger. */
export class DrawingPad {
  readonly canvas: HTMLCanvasElement = document.createElement('canvas');
  readonly #context: CanvasRenderingContext2D;
  readonly #onChange: () => void;
  readonly #colours: SheetColours;
  #last: readonly [number, number] | undefined;
  #isAnnounced = false;
  #isEmpty = true;

  constructor(colours: SheetColours, onChange: () => void) {
    this.#colours = colours;
    this.#onChange = onChange;
    Object.assign(this.canvas, { id: 'pad', width: side, height: side });
    this.#context = this.canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
    this.canvas.addEventListener('pointerdown', (event) => this.#begin(event));
    this.canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of ['pointerup', 'pointercancel'] as const) {
      this.canvas.addEventListener(name, () => {
        this.#last = undefined;
      });
    }
    this.#paint();
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  clear(): void {
    this.#paint();
    this.#isEmpty = true;
    this.#onChange();
  }

  #paint(): void {
    this.#context.fillStyle = this.#colours.paper;
    this.#context.fillRect(0, 0, side, side);
  }

  #begin(event: PointerEvent): void {
    this.canvas.setPointerCapture(event.pointerId);
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
    Object.assign(context, {
      lineWidth: penWidth,
      lineCap: 'round',
      lineJoin: 'round',
      strokeStyle: this.#colours.ink,
    });
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    this.#isEmpty = false;
    this.#announce();
  }

  // At most once a frame: a fast pen makes many events.
  #announce(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    requestAnimationFrame(() => {
      this.#isAnnounced = false;
      this.#onChange();
    });
  }

  #placeOf({ clientX, clientY }: PointerEvent): readonly [number, number] {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [((clientX - left) * side) / width, ((clientY - top) * side) / height];
  }
}
