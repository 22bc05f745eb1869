import { ModelwrightError, Tensor, type TensorMap } from '@modelwright/core';
import { type ArrayData, isNumberArray, isShapedData, toTensor } from './array-data.js';

/** One tensor, or several by name for models with several inputs or outputs. */
export type TensorField = Tensor | TensorMap;

/**
 * An element of a data set: one example, or a batch of them (then every tensor has the batch as its first axis).
 * Where the model has one input or output, its name may be left out: a bare tensor stands for it.
 */
export interface Sample {
  readonly inputs: TensorField;
  readonly targets?: TensorField;
  /** How much each example counts in the loss; one number an example, or by output name. */
  readonly sampleWeights?: TensorField;
}

/** What users may write for a field: array data, or array data by name. */
export type FieldLike = ArrayData | { readonly [name: string]: ArrayData };

/** What users may write for a sample: Keras's tuple `[x, y, sampleWeight]`, or a record in either vocabulary. */
export type SampleLike =
  | readonly [x: FieldLike, y?: FieldLike, sampleWeight?: FieldLike]
  | { readonly x: FieldLike; readonly y?: FieldLike | undefined; readonly sampleWeight?: FieldLike | undefined }
  | {
      readonly inputs: FieldLike;
      readonly targets?: FieldLike | undefined;
      readonly sampleWeights?: FieldLike | undefined;
    };

/**
 * A sample of tensors from any of the accepted forms.
 *
 * @throws {@link ModelwrightError} `invalid-data` when it is none of them.
 */
export function toSample(like: SampleLike): Sample {
  const [inputs, targets, sampleWeights] = partsOf(like);
  return sampleOf({
    inputs: toField(inputs, 'x'),
    targets: targets === undefined ? undefined : toField(targets, 'y'),
    sampleWeights: sampleWeights === undefined ? undefined : toField(sampleWeights, 'sampleWeight'),
  });
}

function partsOf(like: SampleLike): readonly [FieldLike, FieldLike | undefined, FieldLike | undefined] {
  if (Array.isArray(like)) return [like[0], like[1], like[2]];
  if (typeof like === 'object' && like !== null) {
    if ('x' in like) return [like.x, like.y, like.sampleWeight];
    if ('inputs' in like) return [like.inputs, like.targets, like.sampleWeights];
  }
  throw new ModelwrightError(
    'invalid-data',
    `a sample is [x, y, sampleWeight], { x, y, sampleWeight } or { inputs, targets, sampleWeights }; ${typeof like} was given`,
    { given: typeof like },
  );
}

function toField(like: FieldLike, what: string): TensorField {
  if (!isNamed(like)) return toTensor(like as ArrayData, what);
  const entries = Object.entries(like).map(([name, data]): [string, Tensor] => [
    name,
    toTensor(data, `${what} '${name}'`),
  ]);
  return Object.fromEntries(entries);
}

function isNamed(like: FieldLike): like is { readonly [name: string]: ArrayData } {
  return (
    typeof like === 'object' &&
    !(like instanceof Tensor) &&
    !Array.isArray(like) &&
    !isNumberArray(like) &&
    !isShapedData(like)
  );
}

interface Fields {
  readonly inputs: TensorField;
  readonly targets: TensorField | undefined;
  readonly sampleWeights: TensorField | undefined;
}

/** A sample without the fields that are undefined. */
export function sampleOf({ inputs, targets, sampleWeights }: Fields): Sample {
  return {
    inputs,
    ...(targets === undefined ? {} : { targets }),
    ...(sampleWeights === undefined ? {} : { sampleWeights }),
  };
}

/** The tensors of a sample with the place each stands at: `inputs`, `targets.mask`, … */
export function tensorsOf(sample: Sample): readonly { readonly place: string; readonly tensor: Tensor }[] {
  const places: { place: string; tensor: Tensor }[] = [];
  for (const [field, value] of Object.entries(sample) as [string, TensorField | undefined][]) {
    if (value instanceof Tensor) places.push({ place: field, tensor: value });
    else if (value !== undefined) {
      for (const [name, tensor] of Object.entries(value)) places.push({ place: `${field}.${name}`, tensor });
    }
  }
  return places;
}

/** The sample with each tensor replaced. */
export function mapTensors(sample: Sample, map: (tensor: Tensor, place: string) => Tensor): Sample {
  const field = (value: TensorField | undefined, name: string): TensorField | undefined => {
    if (value === undefined || value instanceof Tensor) return value === undefined ? undefined : map(value, name);
    return Object.fromEntries(Object.entries(value).map(([key, tensor]) => [key, map(tensor, `${name}.${key}`)]));
  };
  return sampleOf({
    inputs: field(sample.inputs, 'inputs') as TensorField,
    targets: field(sample.targets, 'targets'),
    sampleWeights: field(sample.sampleWeights, 'sampleWeights'),
  });
}

/** Number of examples in a batch: the first extent of its first input. */
export function batchSizeOf(batch: Sample): number {
  const first = tensorsOf(batch)[0]?.tensor;
  if (first === undefined || first.rank === 0) {
    throw new ModelwrightError('invalid-data', 'a batch needs at least one input with a batch axis');
  }
  return first.shape[0] as number;
}
