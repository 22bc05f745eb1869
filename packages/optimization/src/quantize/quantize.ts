import { type Model, ModelwrightError } from '@modelwright/core';
import type { OptimizationContext, OptimizationStep, StepResult } from '../step.js';
import type { CalibrationData } from './calibrate/observe.js';
import { type CandidateScheme, candidateSchemes } from './candidate-schemes.js';
import { type CpuTarget, detectTarget } from './cpu-target.js';
import { type DynamicQuantizationOptions, dynamicallyQuantized } from './dynamic/quantize-dynamic.js';
import { type Quantized, type StaticQuantizationOptions, staticallyQuantized } from './static/quantize-static.js';

interface SharedOptions {
  /** The CPU that the model is meant for: this machine's by default. It decides between 7-bit, int8 and uint8 weights. */
  readonly target?: 'auto' | CpuTarget;
  /** By how much the measure of `optimize({ evaluate })` may fall, in its own unit. Other schemes are tried where one loses more. */
  readonly maxLoss?: number;
}

/** Options of {@link quantize}. */
export type QuantizeOptions =
  | (SharedOptions & { readonly mode: 'dynamic' } & DynamicQuantizationOptions)
  | (SharedOptions & { readonly mode: 'static'; readonly calibration?: CalibrationData } & Omit<
        StaticQuantizationOptions,
        'backend' | 'calibration' | 'signal'
      >);

/**
 * The step that quantizes to 8 bits: `dynamic` for text models (products, embeddings, recurrent layers), `static` for convolutional ones,
 * which needs samples.
 *
 * @example
 * await optimize(model, { backend, calibration, evaluate, steps: [quantize({ mode: 'static', maxLoss: 0.003 })] });
 */
export function quantize(options: QuantizeOptions): OptimizationStep {
  return {
    name: `quantize ${options.mode} int8`,
    apply: (model, context) => applyQuantization(model, options, context),
  };
}

async function applyQuantization(
  model: Model,
  options: QuantizeOptions,
  context: OptimizationContext,
): Promise<StepResult> {
  const { target: asked = 'auto', maxLoss } = options;
  const target = asked === 'auto' ? await detectTarget() : { ...asked, reason: 'as asked' };
  const candidates = options.scheme === undefined ? candidateSchemes(target) : [{ scheme: {}, reason: 'as asked' }];
  const run = (scheme: CandidateScheme['scheme']): Promise<Quantized> =>
    quantizedWith(model, options, { ...context, scheme });
  const { evaluate } = context;
  const [first] = candidates as readonly [CandidateScheme];
  if (maxLoss === undefined || evaluate === undefined) {
    const { model: made, notes } = await run(first.scheme);
    return { model: made, notes: [...notes, `${target.reason}: ${first.reason}`] };
  }
  const before = await evaluate(model);
  const tried: { quantized: Quantized; loss: number; note: string }[] = [];
  for (const { scheme, reason } of candidates) {
    const quantized = await run(scheme);
    const loss = before - (await evaluate(quantized.model));
    tried.push({ quantized, loss, note: `${reason}: loses ${loss.toPrecision(3)} of ${before.toPrecision(4)}` });
    if (loss <= maxLoss) break;
  }
  const best = tried.reduce((a, b) => (b.loss < a.loss ? b : a));
  const verdict =
    best.loss <= maxLoss ? [] : [`no scheme stays within the allowed loss of ${maxLoss}; the best was taken`];
  const notes = [...best.quantized.notes, target.reason, ...tried.map(({ note }) => note), ...verdict];
  return { model: best.quantized.model, notes };
}

async function quantizedWith(
  model: Model,
  options: QuantizeOptions,
  { backend, calibration, signal, scheme }: OptimizationContext & { readonly scheme: CandidateScheme['scheme'] },
): Promise<Quantized> {
  if (options.mode === 'dynamic') {
    const runs = backend.capabilities.ops.has('com.microsoft:DynamicQuantizeLSTM');
    return dynamicallyQuantized(model, {
      recurrent: runs ? 'runtime' : 'standard',
      ...options,
      scheme: { ...scheme, ...options.scheme },
    });
  }
  const samples = options.calibration ?? calibration;
  if (samples === undefined)
    throw new ModelwrightError('invalid-argument', "quantize({ mode: 'static' }) needs samples of typical inputs", {
      hint: "pass calibration to optimize or to quantize, or take mode: 'dynamic'",
    });
  return staticallyQuantized(model, {
    ...options,
    scheme: { ...scheme, ...options.scheme },
    backend,
    calibration: samples,
    ...(signal === undefined ? {} : { signal }),
  });
}
