/// <reference lib="dom" />
import type { ImageInput } from '../processing/processing.js';
import { centreDrawing } from './centre-drawing.js';
import { DrawingPad, type SheetColours } from './drawing-pad.js';
import { element } from './elements.js';
import type { InputView } from './input-view.js';

/** Pictures up to this size are of single signs, which data sets have in their middle. */
const largestSign = 64;

/** A sheet to draw on, and a button for a picture of one's own. */
export function pictureInput(spec: ImageInput, onChange: () => void): InputView {
  // What a bright pixel means to the model decides how the sheet looks: drawings are light on dark unless it swaps them.
  const colours: SheetColours = spec.invert
    ? { ink: '#000000', paper: '#ffffff' }
    : { ink: '#ffffff', paper: '#000000' };
  let uploaded: Uint8Array | undefined;
  const preview = element('img', { id: 'preview', hidden: true, alt: 'your picture' });
  const pad = new DrawingPad(colours, () => {
    uploaded = undefined;
    preview.hidden = true;
    pad.canvas.hidden = false;
    onChange();
  });
  const file = element('input', { id: 'file', type: 'file', accept: 'image/png,image/jpeg' });
  file.addEventListener('change', async () => {
    const [picture] = file.files ?? [];
    if (picture === undefined) return;
    uploaded = new Uint8Array(await picture.arrayBuffer());
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(picture);
    preview.hidden = false;
    pad.canvas.hidden = true;
    file.value = '';
    onChange();
  });
  const clear = element('button', { id: 'clear', type: 'button', textContent: 'Clear' });
  clear.addEventListener('click', () => pad.clear());
  const isSign = spec.channels === 1 && Math.max(spec.width, spec.height) <= largestSign;
  return {
    element: element(
      'div',
      { className: 'picture' },
      pad.canvas,
      preview,
      element('div', { className: 'buttons' }, clear, element('label', {}, 'PNG or JPEG ', file)),
    ),
    value: async () => {
      if (uploaded !== undefined) return { kind: 'raw', value: uploaded };
      if (pad.isEmpty) return undefined;
      return { kind: 'raw', value: await pngOf(isSign ? centreDrawing(pad.canvas, colours) : pad.canvas) };
    },
  };
}

async function pngOf(canvas: HTMLCanvasElement): Promise<Uint8Array> {
  const blob = await new Promise<Blob>((resolve) => canvas.toBlob((made) => resolve(made as Blob), 'image/png'));
  return new Uint8Array(await blob.arrayBuffer());
}
