import { encode as encodePng } from 'fast-png';
import type { Processing } from '../processing/processing.js';
import type { Processor } from '../processing/processor.js';
import { toBase64 } from './base64.js';
import { encodeTensor } from './encode-tensor.js';
import { uniformNumbers } from './golden-inputs.js';
import type { GoldenReading } from './golden-set.js';

const sentence = 'The quick brown fox jumps over the lazy dog; it was 7 o’clock.';

/** A made-up picture or sentence, and what processing makes of it. Nothing where the model takes tensors only. */
export function makeReadings(processor: Processor, processing: Processing | undefined): readonly GoldenReading[] {
  if (!processor.takesRawInputs) return [];
  const made = Object.entries(processing?.inputs ?? {}).map(
    ([name, spec]) => [name, spec.kind === 'image' ? picture(spec.width, spec.height) : sentence] as const,
  );
  const inputs = processor.encode([Object.fromEntries(made)]);
  const example = Object.fromEntries(
    made.map(([name, value]) => [name, typeof value === 'string' ? { text: value } : { base64: toBase64(value) }]),
  );
  return [
    {
      name: 'reading-1',
      example,
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, encodeTensor(tensor)])),
    },
  ];
}

/** A picture with colours, transparency and another size than the model's, so that all of the reading is proven. */
function picture(width: number, height: number): Uint8Array {
  const [across, down] = [Math.min(64, width + 5), Math.min(64, height + 3)];
  const next = uniformNumbers(7);
  const data = Uint8Array.from({ length: across * down * 4 }, (_, index) => {
    const pixel = index >> 2;
    const shade = ((pixel % across) * 200) / across + 40 * next();
    return index % 4 === 3 ? 255 - (pixel % 3) * 20 : shade + (index % 4) * 5;
  });
  return encodePng({ width: across, height: down, data, channels: 4, depth: 8 });
}
