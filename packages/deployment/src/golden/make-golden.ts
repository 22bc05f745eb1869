import {
  type Backend,
  createPredictor,
  dtypeFacts,
  type Model,
  type Tensor,
  type TensorMap,
  toNumbers,
} from '@modelwright/core';
import type { Processing } from '../processing/processing.js';
import { encodeTensor } from './encode-tensor.js';
import { cannotRun, goldenInputs } from './golden-inputs.js';
import type { EncodedTensor, GoldenCase, GoldenSet, Tolerance } from './golden-set.js';

/** How the proof of a bundle is made. */
export interface GoldenOptions {
  /** Inputs of one's own: real ones tell most. Default made up. */
  readonly inputs?: readonly TensorMap[];
  /** How many are made up where none are given. Default 3: one example, one more, and three at once. */
  readonly count?: number;
  /** Numbers for extents that the model leaves open, by symbol. */
  readonly extents?: { readonly [symbol: string]: number };
  /** Default by what computes: 1e-3 for float32, 2e-2 for half precision, one step of rounding for integers. */
  readonly tolerance?: Tolerance;
  readonly seed?: number;
}

/**
 * Runs a model on a handful of inputs and keeps the answers.
 *
 * @param backend - What is trusted to be right: the one it was trained on, or the reference.
 * @throws {@link ModelwrightError} `invalid-model` if the model does not run on what was made up for it.
 */
export async function makeGolden(
  model: Model,
  backend: Backend,
  options: GoldenOptions & { readonly processing?: Processing | undefined } = {},
): Promise<GoldenSet> {
  const given = options.inputs ?? madeUp(model, options);
  const predictor = await createPredictor(model, backend);
  try {
    const answered: { inputs: TensorMap; outputs: TensorMap }[] = [];
    for (const inputs of given) {
      await predictor.resetStates();
      const outputs = await predictor.predict(inputs).catch((cause: unknown) => {
        throw options.inputs === undefined ? cannotRun(model, cause) : cause;
      });
      answered.push({ inputs, outputs });
    }
    return {
      formatVersion: 1,
      madeWith: `${backend.name}:${backend.device}`,
      ...tolerancesFor(
        model,
        answered.map(({ outputs }) => outputs),
        options.tolerance,
      ),
      cases: answered.map(
        ({ inputs, outputs }, index): GoldenCase => ({
          name: `case-${index + 1}`,
          inputs: encodeAll(inputs),
          outputs: encodeAll(outputs),
        }),
      ),
    };
  } finally {
    await predictor.dispose();
  }
}

/** Examples of more bytes are kept once only: the proof goes over the wire with the model. */
const largeExampleBytes = 2 ** 17;

function madeUp(
  model: Model,
  { count, seed = 1, extents, processing }: GoldenOptions & { readonly processing?: Processing | undefined },
): readonly TensorMap[] {
  const isBatched = model.graph.inputs.every(({ shape }) => typeof shape[0] === 'string');
  const make = (index: number, batch: number): TensorMap =>
    goldenInputs(model, { processing, ...(extents === undefined ? {} : { extents }), seed: seed + index, batch });
  const first = make(0, 1);
  const wanted = count ?? (sizeBytesOf(first) > largeExampleBytes ? 1 : 3);
  const others = Array.from({ length: wanted - 1 }, (_, index) =>
    make(index + 1, isBatched && index === wanted - 2 ? 3 : 1),
  );
  return [first, ...others];
}

function sizeBytesOf(tensors: TensorMap): number {
  return Object.values(tensors).reduce(
    (sum, { dtype, elementCount }) => sum + elementCount * dtypeFacts[dtype].bytes,
    0,
  );
}

function encodeAll(tensors: TensorMap): { readonly [name: string]: EncodedTensor } {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, encodeTensor(tensor)]));
}

const integerOps = /^(Quantize|DynamicQuantize|QLinear|MatMulInteger|ConvInteger|DequantizeLinear)/;

/**
 * Kernels sum in different orders, so that errors grow with what is summed: the bound is a share of the largest answer. Where
 * activations are rounded to integers, one of them may fall to the other side.
 */
function tolerancesFor(
  model: Model,
  answers: readonly TensorMap[],
  given: Tolerance | undefined,
): Pick<GoldenSet, 'tolerance' | 'tolerances'> {
  if (given !== undefined) return { tolerance: given };
  const rounds = model.graph.nodes.some(({ op }) => integerOps.test(op));
  const names = Object.keys(answers[0] ?? {});
  const tolerances = Object.fromEntries(
    names.map((name) => {
      const tensors = answers.map((outputs) => outputs[name]!);
      return [name, toleranceOf(tensors, rounds)];
    }),
  );
  return { tolerance: { absolute: 0, relative: 0 }, tolerances };
}

function toleranceOf(tensors: readonly Tensor[], rounds: boolean): Tolerance {
  const { kind, bits } = dtypeFacts[tensors[0]!.dtype];
  if (kind === 'bool' || kind === 'string') return { absolute: 0, relative: 0 };
  if (kind !== 'float') return { absolute: rounds && bits === 8 ? 1 : 0, relative: 0 };
  const relative = rounds || bits === 16 ? 2e-2 : bits === 64 ? 1e-6 : 1e-3;
  const largest = Math.max(...tensors.map(largestOf)) || 1;
  return { absolute: relative * (rounds ? 1 : 0.1) * largest, relative };
}

function largestOf(tensor: Tensor): number {
  return toNumbers(tensor).reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    0,
  );
}
