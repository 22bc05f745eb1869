import { type Backend, type Model, ModelwrightError, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { CalibrationData } from '../quantize/calibrate/observe.js';
import { frozen } from '../quantize/frozen.js';
import { type LayerSelection, selectorOf } from '../quantize/selection.js';
import type { OptimizationStep } from '../step.js';
import { withGraph } from '../with-graph.js';
import { type BlockFormat, blockCount, fromBlocks, type Matrix, roundToNearest, type ScaleChoice } from './blocks.js';
import type { SquareMatrix } from './cholesky.js';
import { type GptqOptions, gptq, outputError } from './gptq.js';
import { gatherHessians } from './hessians.js';
import { fitsRuntimeOps, type Replacement, replaceWeights, type WeightTarget } from './replace-weights.js';
import { type UsedWeight, usedWeights } from './weight-uses.js';

/** How weights become 4- or 8-bit codes; activations stay as they are. */
export interface QuantizeWeightsOptions extends LayerSelection, GptqOptions {
  /** Default 4. */
  readonly bits?: 4 | 8;
  /** How many numbers that are summed over share a scale: a power of two, 16 at least. Default 32. */
  readonly blockSize?: number;
  /** Round to nearest, or let later columns make up for earlier errors, which takes calibration data. Default `rtn`. */
  readonly method?: 'rtn' | 'gptq';
  /** Zero in the middle of the codes, rather than a zero point for each block. Default true. */
  readonly symmetric?: boolean;
  /** The scale from a block's largest number, or what gives the smallest squared error. Default `mse`. */
  readonly scale?: ScaleChoice;
  /**
   * Ops of ONNX Runtime (`MatMulNBits`, `GatherBlockQuantized`), or `DequantizeLinear` of ONNX (opset 21) before the ops as
   * they are, for other runtimes. Default what the backend runs; `MatMulNBits` where none is given.
   */
  readonly target?: WeightTarget;
  /**
   * What `MatMulNBits` computes in: 0 or 1 float32, 4 with activations rounded to int8 on the way, which costs far less than
   * 4-bit weights do and is what makes them faster than float ones on a CPU. Default 4 with 4 bits, 0 with 8. (ONNX Runtime
   * takes 4 by itself for `DequantizeLinear` of 4 bits before a product.)
   */
  readonly accuracyLevel?: 0 | 1 | 2 | 3 | 4;
  /** Quantize tables of embeddings too. Default true. */
  readonly embeddings?: boolean;
  /**
   * Bits of embeddings, those that are output layers too among them: errors in them reach everything. They are rounded to nearest
   * whatever the method, since what would serve the products of an output layer spoils the rows. Default 8.
   */
  readonly embeddingBits?: 4 | 8;
}

/** What {@link quantizeWeightOnly} takes beside the format. */
export interface WeightOnlyOptions extends QuantizeWeightsOptions {
  /** Runs the samples of GPTQ. */
  readonly backend?: Backend;
  /** Typical batches for GPTQ, by input name. */
  readonly calibration?: CalibrationData;
  readonly progress?: (done: number, total: number, what: string) => void;
  readonly signal?: AbortSignal;
}

/** What became of one weight. */
export interface QuantizedWeightFacts {
  readonly name: string;
  readonly target: WeightTarget;
  /** Squared error relative to the weight; of what it puts out where calibration data tell. */
  readonly relativeError: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** A model with quantized weights, and what to report of it. */
export interface WeightOnlyResult {
  readonly model: Model;
  readonly weights: readonly QuantizedWeightFacts[];
  readonly notes: readonly string[];
}

/**
 * Stores the weights of `MatMul`, `Gemm` and embeddings in 4 or 8 bits, a scale for each block of numbers that are summed
 * over. Activations stay floating: it makes large language models small without harm, and faster where reading weights is
 * what takes time (token by token), not at large batches.
 *
 * `w ≈ (code − zeroPoint)·scale`
 *
 * Codes keep the name of the weight as a parameter that no training changes; `<weight>.scale` and `<weight>.zeroPoint` stand beside.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a block size that is none, a name that means no weight, or GPTQ
 * without a backend and calibration data.
 * @see Frantar et al., GPTQ, arXiv:2210.17323.
 * @example
 * const small = await quantizeWeightOnly(model, { bits: 4, method: 'gptq', backend, calibration });
 */
export async function quantizeWeightOnly(model: Model, options: WeightOnlyOptions = {}): Promise<Model> {
  return (await weightOnlyQuantized(model, options)).model;
}

/** As {@link quantizeWeightOnly}, with facts for a report. */
export async function weightOnlyQuantized(model: Model, options: WeightOnlyOptions = {}): Promise<WeightOnlyResult> {
  const formats = formatsOf(options);
  const { chosen, notes } = chooseWeights(model, formats, options);
  const hessians = options.method === 'gptq' ? await hessiansFor(model, chosen, options) : new Map();
  const replacements: Replacement[] = [];
  const weights: QuantizedWeightFacts[] = [];
  for (const [at, each] of chosen.entries()) {
    options.signal?.throwIfAborted();
    const { replacement, facts } = quantizeOne({ ...each, hessian: hessians.get(each.used.value) }, options);
    replacements.push(replacement);
    weights.push(facts);
    options.progress?.(at + 1, chosen.length, 'weights');
  }
  return {
    model: frozen(withGraph(model, replaceWeights(model.graph, replacements))),
    weights,
    notes: [...summaryOf(weights, formats, options), ...notes],
  };
}

/**
 * The step of `optimize` that stores weights in 4 or 8 bits and leaves activations as they are. GPTQ takes the pipeline's
 * calibration data.
 *
 * @example
 * await optimize(model, { backend, calibration, steps: [quantizeWeights({ bits: 4, method: 'gptq' })] });
 */
export function quantizeWeights(options: QuantizeWeightsOptions = {}): OptimizationStep {
  const { bits = 4, method = 'rtn', blockSize = 32 } = options;
  return {
    name: `quantizeWeights int${bits} ${method} blocks of ${blockSize}`,
    async apply(model, { backend, calibration, progress, signal }) {
      const { model: quantized, notes } = await weightOnlyQuantized(model, {
        ...options,
        backend,
        ...(calibration === undefined ? {} : { calibration }),
        ...(progress === undefined ? {} : { progress }),
        ...(signal === undefined ? {} : { signal }),
      });
      return { model: quantized, notes };
    },
  };
}

interface Formats {
  readonly product: BlockFormat;
  readonly embedding: BlockFormat;
}

function formatsOf({
  bits = 4,
  embeddingBits = 8,
  blockSize = 32,
  symmetric = true,
  scale = 'mse',
}: WeightOnlyOptions): Formats {
  for (const [option, given] of Object.entries({ bits, embeddingBits }))
    if (given !== 4 && given !== 8) throw notAllowed(option, given, '4, 8');
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < 16) {
    throw notAllowed('blockSize', blockSize, 'powers of two from 16');
  }
  const common = { blockSize, symmetric, scale };
  return { product: { bits, ...common }, embedding: { bits: embeddingBits, ...common } };
}

const isEmbedding = ({ uses }: UsedWeight): boolean => uses.some(({ kind }) => kind === 'lookup');

function notAllowed(option: string, given: unknown, allowed: string): ModelwrightError {
  return new ModelwrightError('invalid-argument', `${option} ${String(given)} is not possible; allowed: ${allowed}`, {
    given,
    allowed,
  });
}

interface Chosen {
  readonly used: UsedWeight;
  readonly name: string;
  readonly format: BlockFormat;
}

function chooseWeights(
  model: Model,
  formats: Formats,
  options: WeightOnlyOptions,
): { readonly chosen: readonly Chosen[]; readonly notes: readonly string[] } {
  const names = new Map(model.parameters.map(({ name, value }) => [value, name]));
  const all = usedWeights(model.graph).map((used) => ({
    used,
    name: names.get(used.value) ?? used.value.name,
    format: isEmbedding(used) ? formats.embedding : formats.product,
  }));
  const isSelected = selectorOf(
    options,
    all.flatMap(({ used, name }) => used.uses.map(({ node }) => ({ node, weight: name }))),
  );
  const notes: string[] = [];
  const chosen = all.filter(({ used, name, format }) => {
    if (!used.uses.some(({ node }) => isSelected(node, name))) return false;
    if (options.embeddings === false && used.uses.every(({ kind }) => kind === 'lookup')) return false;
    if (used.isReadElsewhere && used.weight.dtype !== 'float32') return false;
    if (sizeAfter(used, format) < bytesOf(used.weight)) return true;
    notes.push(`'${name}' [${used.weight.shape}] stays: it is too small for blocks of ${format.blockSize}`);
    return false;
  });
  return { chosen, notes };
}

async function hessiansFor(
  model: Model,
  chosen: readonly Chosen[],
  { backend, calibration, signal }: WeightOnlyOptions,
): Promise<ReadonlyMap<Value, SquareMatrix>> {
  if (backend === undefined || calibration === undefined) {
    const missing = backend === undefined ? 'a backend' : 'calibration data';
    throw new ModelwrightError('invalid-argument', `GPTQ looks at activations: ${missing} is needed`, {
      hint: 'pass backend and calibration, or choose method rtn',
    });
  }
  const weights = chosen.map(({ used }) => used).filter((used) => !isEmbedding(used));
  return gatherHessians(model, weights, {
    backend,
    calibration,
    ...(signal === undefined ? {} : { signal }),
  });
}

interface OneWeight extends Chosen {
  readonly hessian: SquareMatrix | undefined;
}

function quantizeOne(
  { used, name, format, hessian }: OneWeight,
  {
    backend,
    target: wanted = targetFor(backend),
    accuracyLevel = format.bits === 4 ? 4 : 0,
    damping,
    activationOrder,
  }: WeightOnlyOptions,
): { readonly replacement: Replacement; readonly facts: QuantizedWeightFacts } {
  const matrix = inRowsOfBlocks(used);
  const settings = {
    format,
    ...(damping === undefined ? {} : { damping }),
    ...(activationOrder === undefined ? {} : { activationOrder }),
  };
  const blocked = hessian === undefined ? roundToNearest(matrix, format) : gptq(matrix, hessian, settings);
  const target = wanted === 'MatMulNBits' && fitsRuntimeOps(used) ? wanted : 'dequantize';
  return {
    replacement: { used, blocked, target, accuracyLevel },
    facts: {
      name,
      target,
      relativeError: outputError(matrix, fromBlocks(blocked), hessian),
      bytesBefore: bytesOf(used.weight),
      bytesAfter: sizeAfter(used, format),
    },
  };
}

function targetFor(backend: Backend | undefined): WeightTarget {
  const runs = backend?.capabilities.ops.has('com.microsoft:MatMulNBits') ?? true;
  return runs ? 'MatMulNBits' : 'dequantize';
}

/** The weight with the numbers that share blocks in its rows. */
function inRowsOfBlocks({ weight, uses }: UsedWeight): Matrix {
  const [a = 0, b = 0] = weight.shape;
  const data = toNumbers(weight);
  if (uses[0]?.axis === 1) return { rows: a, columns: b, data };
  const turned = new Float64Array(a * b);
  for (let row = 0; row < b; row++)
    for (let column = 0; column < a; column++) turned[row * a + column] = data[column * b + row] as number;
  return { rows: b, columns: a, data: turned };
}

const bytesOf = (weight: Tensor): number => weight.elementCount * (weight.dtype === 'float16' ? 2 : 4);

/** Bytes of codes, scales and zero points. */
function sizeAfter({ weight, uses }: UsedWeight, { bits, blockSize, symmetric }: BlockFormat): number {
  const axis = uses[0]?.axis ?? 0;
  const [columns, rows] = [weight.shape[axis] as number, weight.shape[1 - axis] as number];
  const blocks = blockCount({ columns, blockSize });
  return (
    rows * (Math.ceil((blocks * blockSize * bits) / 8) + blocks * 4 + (symmetric ? 0 : Math.ceil((blocks * bits) / 8)))
  );
}

function summaryOf(
  weights: readonly QuantizedWeightFacts[],
  { product: { bits, blockSize, symmetric }, embedding }: Formats,
  { method = 'rtn' }: WeightOnlyOptions,
): readonly string[] {
  if (weights.length === 0) return ['no weight was quantized'];
  const [before, after] = [sum(weights, 'bytesBefore'), sum(weights, 'bytesAfter')];
  const worst = weights.reduce((a, b) => (b.relativeError > a.relativeError ? b : a));
  const standard = weights.filter(({ target }) => target === 'dequantize').length;
  return [
    `${weights.length} weights in int${bits}${embedding.bits === bits ? '' : ` (embeddings in int${embedding.bits})`}, blocks of ${blockSize}, ${symmetric ? 'symmetric' : 'with zero points'}, by ${method}: ${before} bytes became ${after} (${(before / after).toFixed(2)} times fewer)`,
    `largest error in '${worst.name}': ${Math.sqrt(worst.relativeError).toPrecision(2)} relative to what it puts out`,
    ...(standard > 0 && standard < weights.length
      ? [`${standard} of them with DequantizeLinear, since ONNX Runtime's own ops cannot do all they are used for`]
      : []),
  ];
}

function sum(weights: readonly QuantizedWeightFacts[], field: 'bytesBefore' | 'bytesAfter'): number {
  return weights.reduce((total, each) => total + each[field], 0);
}
