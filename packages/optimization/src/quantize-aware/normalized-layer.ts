import { fromNumbers, type GraphBuilder, stridesOf, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { Rounding } from './rounding.js';
import type { NormalizedNode } from './skeleton.js';

const leastScale = 1e-6;

export interface NormalizedLayer {
  readonly pair: NormalizedNode;
  /** The layer's inputs in the new graph: data (rounded), weight, bias if there is one. */
  readonly inputs: readonly (Value | undefined)[];
  /** Scale, shift, running mean and running variance in the new graph. */
  readonly statistics: readonly [scale: Value, shift: Value, mean: Value, variance: Value];
  /** Axis of the weight that counts output channels. */
  readonly axis: number;
  readonly weightName: string;
  /** The weight with the scale folded in, as it is now. */
  readonly initial: Tensor;
  /** Whether the normalization keeps its running statistics in training. */
  readonly isFrozen: boolean;
}

/**
 * A layer with its normalization folded in, as it will be once it infers, so that what is rounded in training is what will be:
 *
 * `y = conv(x, round(w·f)) + b′`, `f = γ/√(σ² + ε)`, `b′ = β + (b − μ)·f`, with the running μ and σ².
 *
 * Until statistics are frozen, training normalizes `y` by its batch: `(y − m)·r + β`, where `r = √(σ² + ε)/√(v/f² + ε)` for the mean m
 * and the variance v of `y`.
 *
 * @see Krishnamoorthi, arXiv:1806.08342, §3.2.2; Jacob et al., arXiv:1712.05877, §3.2.
 */
export function normalizedLayer(builder: GraphBuilder, rounding: Rounding, layer: NormalizedLayer): Value {
  const { pair, inputs, statistics, axis, weightName, initial } = layer;
  const [scale, shift, mean, variance] = statistics;
  const [x, w, bias] = inputs as readonly [Value, Value, Value | undefined];
  const { epsilon } = pair.normalization.attributes as { epsilon: number };
  const f = rounding.formulas;
  const deviation = f.squareRoot(f.add(variance, epsilon));
  // What is divided by later must not vanish.
  const isTiny = f.isLess(builder.op('Abs', [scale]), leastScale);
  const factor = f.divide(f.choose(isTiny, leastScale, scale), deviation);
  const folded = f.multiply(w, alongAxis(builder, factor, w.shape.length - 1 - axis));
  const weight = rounding.weight(folded, { name: weightName, axis, initial });
  const centred = bias === undefined ? f.subtract(0, mean) : f.subtract(bias, mean);
  const offset = f.add(shift, f.multiply(centred, factor));
  const y = copied(builder, pair, [x, weight, offset]);
  if (layer.isFrozen) return y;
  return f.byMode(y, trainedOutput({ builder, rounding, layer, y, factor, deviation, epsilon }));
}

function copied(builder: GraphBuilder, { node, normalization }: NormalizedNode, inputs: readonly Value[]): Value {
  const attributes = node.op === 'Gemm' ? { ...node.attributes, beta: 1 } : node.attributes;
  const [y] = builder.anyNode({ ...node, inputs, attributes }, normalization.outputs, { nodeName: node.name });
  return y as Value;
}

interface OutputRequest {
  readonly builder: GraphBuilder;
  readonly rounding: Rounding;
  readonly layer: NormalizedLayer;
  readonly y: Value;
  readonly factor: Value;
  readonly deviation: Value;
  readonly epsilon: number;
}

function trainedOutput({ builder, rounding, layer, y, factor, deviation, epsilon }: OutputRequest): Value {
  const f = rounding.formulas;
  const [, shift, running, runningVariance] = layer.statistics;
  const behind = y.shape.length - 2;
  const axes = builder.integers(y.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])));
  const meanOf = (value: Value): Value => builder.op('ReduceMean', [value, axes], { keepdims: 0 });
  const mean = meanOf(y);
  const centred = f.subtract(y, alongAxis(builder, mean, behind));
  // Variance and mean as they would be without the factor.
  const variance = f.divide(meanOf(f.multiply(centred, centred)), f.multiply(factor, factor));
  const ownMean = f.add(f.divide(f.subtract(mean, shift), factor), running);
  const ratio = f.divide(deviation, f.squareRoot(f.add(variance, epsilon)));
  const frozen = rounding.since(rounding.options.freezeStatisticsAfter);
  const slope = frozen === undefined ? ratio : f.choose(frozen, 1, ratio);
  const offset = frozen === undefined ? shift : f.choose(frozen, mean, shift);
  const scaled = f.multiply(centred, alongAxis(builder, slope, behind));
  const output = f.add(scaled, alongAxis(builder, offset, behind));
  const { momentum } = layer.pair.normalization.attributes as { momentum: number };
  const next = (now: Value, batch: Value): Value => {
    const moved = f.add(f.multiply(now, momentum), f.multiply(batch, 1 - momentum));
    return frozen === undefined ? moved : f.choose(frozen, now, moved);
  };
  const tracked = f.tracking(output, running, next(running, ownMean));
  return f.tracking(tracked, runningVariance, next(runningVariance, variance));
}

/** A vector as it broadcasts with `behind` axes after its own. */
function alongAxis(builder: GraphBuilder, vector: Value, behind: number): Value {
  if (behind === 0) return vector;
  return builder.op('Reshape', [vector, builder.integers([-1, ...new Array<number>(behind).fill(1)])]);
}

/** `w·γ/√(σ² + ε)` along an axis. */
export function foldedWeight(
  weight: Tensor,
  axis: number,
  { scale, variance, epsilon }: { readonly scale: Tensor; readonly variance: Tensor; readonly epsilon: number },
): Tensor {
  const [gammas, variances] = [toNumbers(scale), toNumbers(variance)];
  const factors = gammas.map((gamma, index) => gamma / Math.sqrt((variances[index] as number) + epsilon));
  const stride = stridesOf(weight.shape)[axis] as number;
  const folded = toNumbers(weight).map(
    (each, at) => each * (factors[Math.floor(at / stride) % factors.length] as number),
  );
  return fromNumbers('float32', weight.shape, folded);
}
