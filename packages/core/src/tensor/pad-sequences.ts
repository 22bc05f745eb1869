import { ModelwrightError } from '../errors.js';
import type { DType, TensorData } from './dtype.js';
import { castTensor, fromNumbers, fullTensor, Tensor } from './tensor.js';

/** Options of {@link padSequences}; the defaults are Keras's. */
export interface PadSequencesOptions {
  /** Extent of the time axis of the result. Default: the longest sequence. */
  readonly length?: number;
  /** Default: that of the sequences if they are tensors, else int32. */
  readonly dtype?: DType;
  /** Where short sequences are filled up. Default `pre`. */
  readonly padding?: 'pre' | 'post';
  /** Where long sequences are cut. Default `pre`: their last elements stay. */
  readonly truncating?: 'pre' | 'post';
  /** What fills up. Default 0. */
  readonly value?: number;
}

/** A sequence: numbers, or a tensor `[time, …features]`. */
export type SequenceLike = ArrayLike<number> | Tensor;

/**
 * Sequences of different lengths as one tensor, the short ones filled up and the long ones cut.
 *
 * @param sequences - Each `[time]` or `[time, …features]`, with the same features.
 * @returns `[sequences, length, …features]`.
 * @throws {@link ModelwrightError} `shape-mismatch` naming the sequence whose features differ, `invalid-argument` for a
 *   length that is not an integer ≥ 0.
 * @example
 * padSequences([[1, 2, 3], [4]], { padding: 'post' }); // [[1, 2, 3], [4, 0, 0]]
 */
export function padSequences(sequences: readonly SequenceLike[], options: PadSequencesOptions = {}): Tensor {
  const tensors = sequences.map((sequence) =>
    sequence instanceof Tensor ? sequence : fromNumbers(options.dtype ?? 'int32', [sequence.length], sequence),
  );
  const features = commonFeatures(tensors);
  const dtype = options.dtype ?? tensors[0]?.dtype ?? 'int32';
  const length = options.length ?? Math.max(0, ...tensors.map(({ shape }) => shape[0] as number));
  requireLength(length);
  const result = fullTensor(dtype, [tensors.length, length, ...features], options.value ?? 0);
  const step = features.reduce((product, extent) => product * extent, 1);
  tensors.forEach((each, row) => {
    const time = each.shape[0] as number;
    const kept = Math.min(time, length);
    const from = (options.truncating ?? 'pre') === 'pre' ? time - kept : 0;
    const to = (options.padding ?? 'pre') === 'pre' ? length - kept : 0;
    const { data } = castTensor(each, dtype);
    copyElements(data.slice(from * step, (from + kept) * step), result.data, (row * length + to) * step);
  });
  return result;
}

function copyElements(source: TensorData, target: TensorData, offset: number): void {
  if (!Array.isArray(target)) (target as Float32Array).set(source as Float32Array, offset);
  else for (let index = 0; index < source.length; index++) target[offset + index] = source[index] as string;
}

function commonFeatures(tensors: readonly Tensor[]): readonly number[] {
  const features = tensors[0]?.shape.slice(1) ?? [];
  tensors.forEach(({ shape }, index) => {
    const fits = shape.length === features.length + 1 && features.every((extent, axis) => extent === shape[axis + 1]);
    if (fits) return;
    throw new ModelwrightError(
      'shape-mismatch',
      `sequence ${index} has shape [${shape}]; the first one has features [${features}], so [time, ${features}] is expected`,
      { given: shape, allowed: features },
    );
  });
  return features;
}

function requireLength(length: number): void {
  if (Number.isInteger(length) && length >= 0) return;
  throw new ModelwrightError('invalid-argument', `padSequences: length is ${length}; an integer ≥ 0 is expected`, {
    given: length,
  });
}
