import { type Backend, createReferenceBackend, type DType, type TensorMap } from '@modelwright/core';
import { type CaseTolerance, differenceOf, type Tolerance, toleranceFor } from '@modelwright/core/cases';

/** How a backend is put to the test. */
export interface BackendUnderTest {
  /** Opens the backend; called once. */
  create(): Promise<Backend> | Backend;
  /**
   * Cases that are known to fail, by id (`… gradient` for the gradient of a case), each with its reason. A listed case
   * that passes turns the suite red.
   */
  readonly knownFailures?: { readonly [id: string]: string };
  /** Cases whose result may be further off than the rule allows, by id, each with its reason. */
  readonly tolerances?: { readonly [id: string]: CaseTolerance };
  /** Roundings that this backend adds to each result, as a factor of the rule's tolerance; default 1. */
  readonly toleranceFactor?: number;
  /**
   * Why the backend cannot run on this machine; the suite is then skipped and says so. A function is asked when the
   * tests are collected.
   */
  readonly unavailable?: string | undefined;
  /** Bytes the process holds for the backend, for the memory floor; default resident memory in Node. */
  readonly memoryBytes?: () => number | Promise<number>;
  /** Gets the support report when all cases have run. */
  readonly onReport?: (report: SupportReport) => void | Promise<void>;
}

export type CaseOutcome = 'passed' | 'known failure' | 'refused';

/** What became of each case. */
export interface SupportReport {
  /** The suite's name, as given to `describeBackend`. */
  readonly name: string;
  readonly backend: string;
  readonly device: string;
  readonly outcomes: { readonly [id: string]: CaseOutcome };
  readonly knownFailures: { readonly [id: string]: string };
}

/** A backend under test and what the floors share. */
export interface Suite {
  readonly name: string;
  readonly options: BackendUnderTest;
  readonly reference: Backend;
  readonly outcomes: Map<string, CaseOutcome>;
  /** The backend, once the suite runs. */
  backend(): Backend;
}

/** The reference backend every suite compares with. */
export const reference: Backend = createReferenceBackend();

/** Says which output differs first, or undefined. */
export function firstDifference(
  actual: TensorMap,
  expected: TensorMap,
  tolerance: (dtype: DType) => Tolerance,
): string | undefined {
  for (const [name, tensor] of Object.entries(expected)) {
    const given = actual[name];
    if (given === undefined) return `output '${name}' is missing`;
    const found = differenceOf(given, tensor, tolerance(tensor.dtype));
    if (found !== undefined) return `${name}: ${found}`;
  }
  return undefined;
}

/** The rule's tolerance of a case, widened by what the case and the backend say. */
export function caseTolerance(
  suite: Suite,
  id: string,
  accumulation: number | undefined,
  own: CaseTolerance | undefined,
): (dtype: DType) => Tolerance {
  const factor = suite.options.toleranceFactor ?? 1;
  const wider = suite.options.tolerances?.[id];
  return (dtype) => {
    const rule = toleranceFor(dtype, accumulation);
    const most = (key: 'relative' | 'absolute'): number =>
      Math.max(rule[key] * factor, own?.[key] ?? 0, wider?.[key] ?? 0);
    return { relative: most('relative'), absolute: most('absolute') };
  };
}
