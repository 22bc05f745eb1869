import {
  allocateData,
  castTensor,
  coerceInput,
  elementCountOf,
  type InputData,
  isFloat,
  type Model,
  ModelwrightError,
  Tensor,
  type TensorData,
  type TensorMap,
  type Value,
} from '@modelwright/core';

/** What a prediction takes: a tensor, nested numbers or flat storage; by name where the model has several inputs. */
type Inputs = InputData | { readonly [name: string]: InputData };

/** Inputs, alone where the model has one or by name; or an element of a data set, whose targets are not read. */
export type CalibrationSample = Inputs | { readonly inputs: Inputs };

/**
 * Typical inputs of a model: tensors of many examples, or a sequence of batches or of single examples (an array, a data
 * set, a generator function). What is read twice must begin anew each time.
 */
export type CalibrationSamples =
  | CalibrationSample
  | Iterable<CalibrationSample>
  | AsyncIterable<CalibrationSample>
  | (() => Iterable<CalibrationSample> | AsyncIterable<CalibrationSample>);

const examplesABatch = 32;

/**
 * Batches of inputs by name, from whatever form they were given in; each call reads them from the beginning.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for inputs that the model has not or that are missing,
 *   `shape-mismatch` for those of another rank.
 */
export function calibrationBatches(model: Model, data: CalibrationSamples): () => AsyncIterable<TensorMap> {
  return async function* read() {
    const source = typeof data === 'function' ? data() : data;
    const samples = isSequence(source) ? source : [source];
    const waiting: TensorMap[] = [];
    for await (const sample of samples) {
      const inputs = inputsOf(model, sample);
      if (isExample(model, inputs)) {
        waiting.push(inputs);
        if (waiting.length === examplesABatch) yield stack(waiting.splice(0));
      } else yield* split(model, inputs);
    }
    if (waiting.length > 0) yield stack(waiting);
  };
}

function isSequence(
  source: CalibrationSamples,
): source is Iterable<CalibrationSample> | AsyncIterable<CalibrationSample> {
  if (typeof source !== 'object' || ArrayBuffer.isView(source)) return false;
  return Symbol.iterator in source || Symbol.asyncIterator in source;
}

function inputsOf({ graph }: Model, sample: CalibrationSample): TensorMap {
  const held = isData(sample) || !isElement(graph.inputs, sample) ? sample : sample.inputs;
  const [only, ...others] = graph.inputs;
  const named = isData(held) ? (only !== undefined && others.length === 0 ? { [only.name]: held } : {}) : held;
  const entries = graph.inputs.map((input): [string, Tensor] => [input.name, fit(input, named[input.name])]);
  return Object.fromEntries(entries);
}

function isData(given: CalibrationSample): given is InputData {
  return given instanceof Tensor || Array.isArray(given) || ArrayBuffer.isView(given);
}

/** Whether a sample is an element of a data set. A model may have an input that is called `inputs`. */
function isElement(inputs: readonly Value[], sample: object): sample is { readonly inputs: Inputs } {
  const isInput = inputs.some(({ name }) => name === 'inputs') && Object.values(sample).every(isData);
  return 'inputs' in sample && !isInput;
}

function fit(input: Value, given: InputData | undefined): Tensor {
  const { name, dtype, shape } = input;
  // Nested numbers may be one example or several; flat storage is of several.
  const tensor = given === undefined || !isData(given) ? undefined : coerceInput(input, given);
  if (tensor === undefined) {
    const message = `the calibration data lacks the input '${name}' (${dtype} [${shape.join(',')}])`;
    throw new ModelwrightError('invalid-argument', message, { input: name });
  }
  if (tensor.rank !== shape.length && tensor.rank !== shape.length - 1) {
    const message = `input '${name}' has the shape [${shape.join(',')}], the calibration data has [${tensor.shape}] for it`;
    throw new ModelwrightError('shape-mismatch', message, { input: name, given: tensor.shape, allowed: shape });
  }
  if (isFloat(dtype) !== isFloat(tensor.dtype) && isFloat(tensor.dtype)) {
    const message = `input '${name}' is ${dtype}, the calibration data has ${tensor.dtype} for it`;
    throw new ModelwrightError('dtype-mismatch', message, { input: name, given: tensor.dtype, allowed: dtype });
  }
  return castTensor(tensor, dtype);
}

/** Whether a sample is one example without the axis of the batch. */
function isExample({ graph }: Model, inputs: TensorMap): boolean {
  return graph.inputs.some(({ name, shape }) => (inputs[name]?.rank ?? 0) < shape.length);
}

/** Large batches in parts that any memory holds; a batch that the model fixes stays as large as it wants. */
function* split({ graph }: Model, inputs: TensorMap): Generator<TensorMap> {
  const fixed = graph.inputs.map(({ shape }) => shape[0]).find((extent) => typeof extent === 'number');
  const count = Math.min(...Object.values(inputs).map(({ shape }) => shape[0] ?? 1));
  const size = fixed ?? examplesABatch;
  if (typeof size !== 'number') return;
  for (let start = 0; start < count; start += size) {
    const rows = Math.min(size, count - start);
    if (fixed !== undefined && rows < fixed) return;
    yield Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [
        name,
        takeRows(
          tensor,
          Array.from({ length: rows }, (_, at) => start + at),
        ),
      ]),
    );
  }
}

function stack(examples: readonly TensorMap[]): TensorMap {
  const [first] = examples;
  return Object.fromEntries(
    Object.entries(first ?? {}).map(([name, { dtype, shape, elementCount }]) => {
      const data = allocateData(dtype, elementCount * examples.length);
      examples.forEach((example, at) => {
        copyInto(data, (example[name] as Tensor).data, at * elementCount);
      });
      return [name, new Tensor(dtype, [examples.length, ...shape], data)];
    }),
  );
}

/** Rows of a tensor by their numbers, in that order; a row may come more than once. */
export function takeRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const rowShape = tensor.shape.slice(1);
  const rowCount = elementCountOf(rowShape);
  const data = allocateData(tensor.dtype, rowCount * rows.length);
  rows.forEach((row, at) => {
    copyInto(data, tensor.data.slice(row * rowCount, (row + 1) * rowCount), at * rowCount);
  });
  return new Tensor(tensor.dtype, [rows.length, ...rowShape], data);
}

function copyInto(target: TensorData, source: TensorData, offset: number): void {
  if (Array.isArray(target)) for (const [at, text] of (source as string[]).entries()) target[offset + at] = text;
  else (target as Float32Array).set(source as Float32Array, offset);
}
