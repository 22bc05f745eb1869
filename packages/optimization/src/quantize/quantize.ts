import { type Model, ModelwrightError } from '@modelwright/core';
import type { OptimizationContext, OptimizationStep, StepResult } from '../step.js';
import type { CalibrationData } from './calibrate/observe.js';
import { type CandidateScheme, candidateSchemes, repaired } from './candidate-schemes.js';
import { type CpuTarget, detectTarget } from './cpu-target.js';
import { type DynamicQuantizationOptions, dynamicQuantizer } from './dynamic/quantize-dynamic.js';
import { type AccuracyBudget, type NotedQuantizer, searchMixedPrecision } from './mixed-precision.js';
import type { Quantized, StaticQuantizationOptions } from './static/quantize-static.js';
import { StaticQuantizer } from './static/static-quantizer.js';

interface SharedOptions {
  /** The CPU that the model is meant for: this machine's by default. It decides between 7-bit, int8 and uint8 weights. */
  readonly target?: 'auto' | CpuTarget;
  /**
   * By how much the measure of `optimize({ evaluate })` may fall, in its own unit. Where a scheme loses more, others are tried,
   * and in the end the layers that lose most stay float, all of them if it must be.
   */
  readonly maxLoss?: number;
}

/** Options of {@link quantize} for dynamic quantization. */
export interface QuantizeDynamicStep extends SharedOptions, DynamicQuantizationOptions {
  readonly mode: 'dynamic';
}

/** Options of {@link quantize} for static quantization. */
export interface QuantizeStaticStep
  extends SharedOptions,
    Omit<StaticQuantizationOptions, 'backend' | 'calibration' | 'signal'> {
  readonly mode: 'static';
  /** Samples; those of `optimize` by default. */
  readonly calibration?: CalibrationData;
}

/** Options of {@link quantize}. */
export type QuantizeOptions = QuantizeDynamicStep | QuantizeStaticStep;

/**
 * The step that quantizes to 8 bits: `dynamic` for text models (products, embeddings, recurrent layers), `static` for convolutional ones,
 * which needs samples.
 *
 * @example
 * await optimize(model, { backend, calibration, evaluate, steps: [quantize({ mode: 'static', maxLoss: 0.003 })] });
 */
export function quantize(options: QuantizeOptions): OptimizationStep {
  if (options.mode !== 'dynamic' && options.mode !== 'static')
    throw new ModelwrightError(
      'invalid-argument',
      `quantize has no mode '${(options as { mode: string }).mode}'; there are: dynamic, static`,
      { given: (options as { mode: string }).mode, allowed: ['dynamic', 'static'] },
    );
  return {
    name: `quantize ${options.mode} int8`,
    requires: requirements[options.mode],
    apply: (model, context) => new Quantization(model, options, context).run(),
  };
}

const requirements = {
  dynamic: { ops: ['DynamicQuantizeLinear', 'MatMulInteger'], dtypes: ['int8', 'uint8'] },
  static: { ops: ['QuantizeLinear', 'DequantizeLinear'], dtypes: ['int8', 'uint8'] },
} as const;

interface Attempt {
  readonly candidate: CandidateScheme;
  readonly quantized: Quantized;
  readonly loss: number;
  readonly note: string;
}

class Quantization {
  readonly #model: Model;
  readonly #options: QuantizeOptions;
  readonly #context: OptimizationContext;

  constructor(model: Model, options: QuantizeOptions, context: OptimizationContext) {
    this.#model = model;
    this.#options = options;
    this.#context = context;
  }

  async run(): Promise<StepResult> {
    const { target: asked = 'auto', maxLoss, scheme } = this.#options;
    const target = asked === 'auto' ? await detectTarget() : { ...asked, reason: 'the target was given' };
    const given: CandidateScheme = { scheme: {}, reason: 'the scheme was given' };
    const candidates = scheme === undefined ? candidateSchemes(target) : [given];
    const { evaluate } = this.#context;
    if (maxLoss !== undefined && evaluate !== undefined) {
      const before = await evaluate(this.#model);
      return this.#within({ before, maxLoss, evaluate }, candidates, target.reason);
    }
    const [first = given] = candidates;
    const { model, notes } = await (await this.#quantizer(first)).quantize([]);
    const unmeasured = maxLoss === undefined ? [] : ['maxLoss was not checked: optimize was given no evaluate'];
    return { model, notes: [...notes, `${target.reason}: ${first.reason}`, ...unmeasured] };
  }

  /** Goes from the fastest form to slower ones until the loss is small enough. */
  async #within(budget: AccuracyBudget, candidates: readonly CandidateScheme[], reason: string): Promise<StepResult> {
    const attempts: Attempt[] = [];
    const succeeds = async (candidate: CandidateScheme): Promise<boolean> => {
      const quantized = await (await this.#quantizer(candidate)).quantize([]);
      const loss = budget.before - (await budget.evaluate(quantized.model));
      attempts.push({ candidate, quantized, loss, note: `${candidate.reason}: loses ${loss.toPrecision(3)}` });
      return loss <= budget.maxLoss;
    };
    const best = (): Attempt => attempts.reduce((a, b) => (b.loss < a.loss ? b : a));
    const finish = ({ model, notes }: Quantized): StepResult => ({
      model,
      notes: [...notes, reason, ...attempts.map(({ note }) => note)],
    });
    for (const candidate of candidates) if (await succeeds(candidate)) return finish(best().quantized);
    if (this.#options.mode === 'static' && (await succeeds(repaired(best().candidate))))
      return finish(best().quantized);
    const mixed = await this.#mixed(best().candidate, budget);
    if (mixed !== undefined) return finish(mixed);
    const { loss } = best();
    const verdict = `no form stays within the allowed loss of ${budget.maxLoss}, the best loses ${loss.toPrecision(3)}: the model stays float`;
    return finish({ model: this.#model, notes: [verdict] });
  }

  async #mixed(candidate: CandidateScheme, budget: AccuracyBudget): Promise<Quantized | undefined> {
    const { backend, signal } = this.#context;
    const calibration = this.#samples();
    if (calibration === undefined) return undefined;
    const observation = { backend, calibration, ...(signal === undefined ? {} : { signal }) };
    const quantizer = await this.#quantizer(candidate);
    const found = await searchMixedPrecision(this.#model, quantizer, { ...budget, ...observation });
    if (found === undefined) return undefined;
    const kept = found.kept.map(({ name, error }) => `${name} (${error.toPrecision(2)})`).join(', ');
    const note = `to stay within a loss of ${budget.maxLoss}, the most sensitive layers stay float: ${kept}; loses ${found.loss.toPrecision(3)}`;
    return { model: found.quantized.model, notes: [...found.quantized.notes, note] };
  }

  #samples(): CalibrationData | undefined {
    const own = this.#options.mode === 'static' ? this.#options.calibration : undefined;
    return own ?? this.#context.calibration;
  }

  async #quantizer({ scheme, repairs }: CandidateScheme): Promise<NotedQuantizer> {
    const { backend, signal } = this.#context;
    const options = { ...repairs, ...this.#options, scheme: { ...scheme, ...this.#options.scheme } };
    if (options.mode === 'dynamic') {
      const isFused = backend.capabilities.ops.has('com.microsoft:DynamicQuantizeLSTM');
      return dynamicQuantizer(this.#model, { recurrent: isFused ? 'runtime' : 'standard', ...options });
    }
    const calibration = this.#samples();
    if (calibration === undefined)
      throw new ModelwrightError('invalid-argument', "quantize({ mode: 'static' }) needs samples of typical inputs", {
        hint: "pass calibration to optimize or to quantize, or take mode: 'dynamic'",
      });
    return StaticQuantizer.create(this.#model, {
      ...options,
      backend,
      calibration,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}
