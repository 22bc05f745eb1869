import { isBigInt, ModelwrightError, type Tensor, type TensorMap, toNumbers } from '@modelwright/core';
import { decodeTensor } from './encode-tensor.js';
import type { EncodedTensor, GoldenCase, GoldenSet, Tolerance } from './golden-set.js';

/** What came of one golden case. */
export interface GoldenResult {
  readonly name: string;
  readonly passed: boolean;
  /** Largest `|a − e| / (absolute + relative·|e|)` of all outputs: 1 is the limit. */
  readonly worst: number;
  /** Why it failed: `output 'probabilities': 0.93 instead of 0.11 at [0,3]`. */
  readonly reason?: string;
}

/** What came of all golden cases. */
export interface GoldenReport {
  readonly passed: boolean;
  readonly madeWith: string;
  readonly results: readonly GoldenResult[];
}

/**
 * Runs the golden inputs and compares the answers with those that are known.
 *
 * @param run - What is to be proven; an error that it throws fails the case.
 */
export async function replayGolden(
  golden: GoldenSet,
  run: (inputs: TensorMap) => Promise<TensorMap>,
): Promise<GoldenReport> {
  const results: GoldenResult[] = [];
  for (const each of golden.cases) results.push(await replayCase(golden, each, run));
  return { passed: results.every(({ passed }) => passed), madeWith: golden.madeWith, results };
}

async function replayCase(
  golden: GoldenSet,
  { name, inputs, outputs }: GoldenCase,
  run: (inputs: TensorMap) => Promise<TensorMap>,
): Promise<GoldenResult> {
  try {
    const answers = await run(decodeTensors(inputs, `input of golden case '${name}'`));
    const differences = Object.entries(outputs).map(([output, expected]) =>
      compareTensors(
        answers[output],
        decodeTensor(expected, `output '${output}' of golden case '${name}'`),
        golden.tolerances?.[output] ?? golden.tolerance,
        `output '${output}'`,
      ),
    );
    return summary(name, differences);
  } catch (error) {
    return { name, passed: false, worst: Number.POSITIVE_INFINITY, reason: (error as Error).message };
  }
}

/** One result of several comparisons: the worst. */
export function summary(name: string, differences: readonly Difference[]): GoldenResult {
  const worst = differences.reduce((most, each) => (each.worst > most.worst ? each : most), { worst: 0 } as Difference);
  const passed = worst.worst <= 1;
  return { name, passed, worst: worst.worst, ...(passed ? {} : { reason: worst.reason ?? 'differs' }) };
}

/** Decodes tensors by name. */
export function decodeTensors(encoded: { readonly [name: string]: EncodedTensor }, what: string): TensorMap {
  return Object.fromEntries(
    Object.entries(encoded).map(([name, tensor]) => [name, decodeTensor(tensor, `${what} '${name}'`)]),
  );
}

export interface Difference {
  readonly worst: number;
  readonly reason?: string;
}

/** How far an answer is from what is expected, in units of what is allowed. */
export function compareTensors(
  given: Tensor | undefined,
  expected: Tensor,
  tolerance: Tolerance,
  what: string,
): Difference {
  const fails = (reason: string): Difference => ({ worst: Number.POSITIVE_INFINITY, reason: `${what}: ${reason}` });
  if (given === undefined) return fails('is missing');
  if (given.dtype !== expected.dtype) return fails(`is ${given.dtype}, not ${expected.dtype}`);
  if (`${given.shape}` !== `${expected.shape}`) return fails(`has shape [${given.shape}], not [${expected.shape}]`);
  if (expected.dtype === 'string' || isBigInt(expected.dtype)) return compareExactly(given, expected, fails);
  return compareNumbers(given, expected, tolerance, what);
}

function compareExactly(given: Tensor, expected: Tensor, fails: (reason: string) => Difference): Difference {
  for (let index = 0; index < expected.elementCount; index++) {
    const [a, e] = [given.data[index], expected.data[index]];
    if (a !== e) return fails(`${String(a)} instead of ${String(e)} at ${placeOf(index, expected.shape)}`);
  }
  return { worst: 0 };
}

function compareNumbers(given: Tensor, expected: Tensor, { absolute, relative }: Tolerance, what: string): Difference {
  const [answers, known] = [toNumbers(given), toNumbers(expected)];
  let worst = 0;
  let at = -1;
  for (let index = 0; index < known.length; index++) {
    const [a, e] = [answers[index]!, known[index]!];
    // Equal infinities and NaN for NaN are right; any other infinity or NaN is as wrong as can be.
    if (Object.is(a, e) || a === e) continue;
    const ratio = Math.abs(a - e) / (absolute + relative * Math.abs(e));
    const off = Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
    if (off > worst) [worst, at] = [off, index];
  }
  if (worst <= 1) return { worst };
  const place = placeOf(at, expected.shape);
  return { worst, reason: `${what}: ${answers[at]} instead of ${known[at]} at ${place}` };
}

function placeOf(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return `[${place}]`;
}

/**
 * Reads `golden.json`.
 *
 * @throws {@link ModelwrightError} `invalid-data` if it is none.
 */
export function parseGolden(bytes: Uint8Array, where: string): GoldenSet {
  const invalid = (cause?: unknown): ModelwrightError =>
    new ModelwrightError('invalid-data', `the golden set of ${where} cannot be read`, { cause });
  let parsed: Partial<GoldenSet>;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes)) as Partial<GoldenSet>;
  } catch (cause) {
    throw invalid(cause);
  }
  const { tolerance, cases } = parsed ?? {};
  const isBound = (bound: unknown): boolean => typeof bound === 'number' && bound >= 0 && Number.isFinite(bound);
  const bounds = [tolerance, ...Object.values(parsed?.tolerances ?? {})];
  const isSound =
    parsed?.formatVersion === 1 &&
    Array.isArray(cases) &&
    cases.length > 0 &&
    bounds.every((each) => isBound(each?.absolute) && isBound(each?.relative));
  if (!isSound) throw invalid();
  return parsed as GoldenSet;
}
