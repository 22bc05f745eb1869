import type { Backend, Executable, RunOptions } from './backend.js';
import { ModelwrightError } from './errors.js';
import type { Value } from './graph/graph.js';
import { exposeStates, initialStates, type Model, nextStateName } from './model.js';
import { cancelTransposes } from './passes/cancel-transposes.js';
import { toInference } from './passes/modes.js';
import { runPasses } from './passes/pass.js';
import { removeDeadNodes } from './passes/remove-dead-nodes.js';
import type { Program, StateSlot } from './program.js';
import { isDataOf } from './tensor/dtype.js';
import { formatShape } from './tensor/shape.js';
import { type NestedNumbers, Tensor, type TensorMap, tensor } from './tensor/tensor.js';

/** What a prediction takes for one input: a tensor, nested arrays, or flat storage in the input's dtype. */
export type InputData = Tensor | NestedNumbers | ArrayBufferView | readonly string[];

/** A model compiled for one backend, ready to predict. */
export interface Predictor {
  readonly model: Model;
  readonly backend: Backend;
  /**
   * @param inputs - By input name; a model with one input takes its data alone.
   * @returns outputs by name.
   * @throws {@link ModelwrightError} `shape-mismatch`, `dtype-mismatch`, `invalid-argument` naming the input.
   */
  predict(inputs: { readonly [name: string]: InputData } | InputData, options?: RunOptions): Promise<TensorMap>;
  /** Makes the model forget what it remembers from run to run: `stateful` layers start anew. */
  resetStates(): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * The program a model infers with: mode-dependent ops resolved, layout changes cancelled, weights as constants; what the
 * model remembers from run to run is its state.
 */
export function inferenceProgram(model: Model): Program {
  const { graph } = exposeStates(model);
  const state = model.states.map(
    ({ name, value }): StateSlot => ({
      name,
      input: value.name,
      output: nextStateName(name),
      initial: model.graph.constants.get(value) as Tensor,
    }),
  );
  return { graph: runPasses(graph, [toInference, cancelTransposes, removeDeadNodes]), state };
}

/**
 * Compiles a model for inference.
 *
 * @example
 * const predictor = await createPredictor(model, backend);
 * const { probabilities } = await predictor.predict({ image });
 */
export async function createPredictor(model: Model, backend: Backend): Promise<Predictor> {
  const executable: Executable = await backend.compile(inferenceProgram(model), { name: model.name });
  const { inputs } = model.graph;
  return {
    model,
    backend,
    predict: async (given, options) => executable.run(coerceInputs(inputs, given), options),
    resetStates: () => executable.writeState(initialStates(model)),
    dispose: () => executable.dispose(),
  };
}

/** Tensors for declared inputs from what a user passes. */
export function coerceInputs(
  declared: readonly Value[],
  given: { readonly [name: string]: InputData } | InputData,
): TensorMap {
  const named = isNamed(given) ? given : nameSingle(declared, given);
  const known = new Set(declared.map(({ name }) => name));
  for (const name of Object.keys(named)) {
    if (known.has(name)) continue;
    throw new ModelwrightError(
      'invalid-argument',
      `there is no input '${name}'; inputs are: ${[...known].join(', ')}`,
      { input: name, allowed: [...known] },
    );
  }
  const entries = declared
    .filter(({ name }) => named[name] !== undefined)
    .map((input): [string, Tensor] => [input.name, coerceInput(input, named[input.name] as InputData)]);
  return Object.fromEntries(entries);
}

function isNamed(
  given: { readonly [name: string]: InputData } | InputData,
): given is { readonly [name: string]: InputData } {
  return typeof given === 'object' && !Array.isArray(given) && !(given instanceof Tensor) && !ArrayBuffer.isView(given);
}

function nameSingle(declared: readonly Value[], given: InputData): { readonly [name: string]: InputData } {
  const [only, ...more] = declared;
  if (only !== undefined && more.length === 0) return { [only.name]: given };
  const names = declared.map(({ name }) => name);
  throw new ModelwrightError(
    'invalid-argument',
    `the model has ${names.length} inputs (${names.join(', ')}); pass them by name`,
    { allowed: names },
  );
}

/** One input's tensor; flat storage takes its one unknown extent from the element count. */
export function coerceInput(input: Value, given: InputData): Tensor {
  if (given instanceof Tensor) return given;
  if (!ArrayBuffer.isView(given)) return tensor(given as NestedNumbers, { dtype: input.dtype });
  if (!isDataOf(input.dtype, given)) {
    const type = Object.prototype.toString.call(given).slice(8, -1);
    throw new ModelwrightError(
      'dtype-mismatch',
      `input '${input.name}' is ${input.dtype}; it cannot be read from ${type}`,
      { input: input.name, given: type },
    );
  }
  const data = given as Float32Array;
  return new Tensor(input.dtype, shapeForCount(input, data.length), data as never);
}

function shapeForCount(input: Value, elementCount: number): readonly number[] {
  const known = input.shape.reduce<number>(
    (product, extent) => (typeof extent === 'number' ? product * extent : product),
    1,
  );
  const unknown = input.shape.filter((extent) => typeof extent === 'string').length;
  const rest = elementCount / known;
  if (unknown > 1 || !Number.isInteger(rest) || (unknown === 0 && rest !== 1)) {
    throw new ModelwrightError(
      'shape-mismatch',
      `input '${input.name}' has shape ${formatShape(input.shape)}; ${elementCount} values do not fill it`,
      {
        input: input.name,
        given: elementCount,
        allowed: input.shape,
      },
    );
  }
  return input.shape.map((extent) => (typeof extent === 'number' ? extent : rest));
}
