import type { Processor, RawExample } from '../processing/processor.js';
import { fromBase64 } from './base64.js';
import { decodeTensor } from './encode-tensor.js';
import type { GoldenReading, GoldenSet } from './golden-set.js';
import { compareTensors, type GoldenResult, summary } from './replay-golden.js';

/** Arithmetic on pixels is the same everywhere; only the last bit may differ. */
const readingTolerance = { absolute: 1e-6, relative: 1e-6 };

/** Reads the golden pictures and texts, and compares what they become with what they became when the bundle was made. */
export function replayReadings(golden: GoldenSet, processor: Processor): readonly GoldenResult[] {
  return (golden.readings ?? []).map((reading) => {
    try {
      const inputs = processor.encode([exampleOf(reading)]);
      const differences = Object.entries(reading.inputs).map(([name, expected]) =>
        compareTensors(inputs[name], decodeTensor(expected), readingTolerance, `input '${name}'`),
      );
      return summary(reading.name, differences);
    } catch (error) {
      return { name: reading.name, passed: false, worst: Number.POSITIVE_INFINITY, reason: (error as Error).message };
    }
  });
}

function exampleOf({ example }: GoldenReading): RawExample {
  return Object.fromEntries(
    Object.entries(example).map(([input, value]) => [input, 'text' in value ? value.text : fromBase64(value.base64)]),
  );
}
