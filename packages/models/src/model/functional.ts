import { type DType, ModelwrightError, type Shape } from '@modelwright/core';
import type { InputShape } from '../layer.js';
import { SymbolicTensor } from '../symbolic-tensor.js';
import { assemble, type NamedTensor } from './assemble.js';
import { LayeredModel, type LayeredModelParts } from './layered-model.js';

export interface InputOptions {
  /** Without the batch axis; `null` for extents that only the run can tell. */
  readonly shape: InputShape;
  /** Name of the model's input; default `input`, numbered, or the key under which the model is given it. */
  readonly name?: string;
  /** Default float32. */
  readonly dtype?: DType;
  /** A fixed batch size; default open. */
  readonly batchSize?: number;
}

/**
 * Begins a functional model: a symbolic tensor for what the model will be fed.
 *
 * @returns `[batch, …shape]`.
 */
export function input({ shape, name, dtype = 'float32', batchSize }: InputOptions): SymbolicTensor {
  return new SymbolicTensor({ dtype, shape: batchedShape(shape, name ?? 'input', batchSize) }, { inputName: name });
}

/** `shape` with the batch axis in front and names for what is open. */
function batchedShape(shape: InputShape, name: string, batchSize: number | undefined): Shape {
  const inner = shape.map((extent, axis) => {
    if (extent === null) return `${name}_${axis + 1}`;
    if (typeof extent === 'string' || (Number.isInteger(extent) && extent >= 0)) return extent;
    throw new ModelwrightError(
      'invalid-argument',
      `input '${name}': ${extent} is no extent; integers ≥ 0, null or a name are allowed`,
      {
        given: shape,
      },
    );
  });
  return [batchSize ?? 'batch', ...inner];
}

/** One symbolic tensor, several, or several by name. */
export type SymbolicTensors = SymbolicTensor | readonly SymbolicTensor[] | { readonly [name: string]: SymbolicTensor };

export interface FunctionalModelOptions {
  readonly inputs: SymbolicTensors;
  /** By name, or named after the layers that make them; a lone one is called `output`. */
  readonly outputs: SymbolicTensors;
  readonly name?: string;
  /** Seed of the weights' initial values, which depend on it and on their names alone. Default 0. */
  readonly seed?: number;
}

/**
 * Makes a model of everything between inputs and outputs.
 *
 * @throws {@link ModelwrightError} `invalid-argument` when outputs need an input that is not given or names clash,
 *   `shape-mismatch` when a shared layer would need weights of two shapes.
 * @example
 * const image = input({ shape: [28, 28, 1], name: 'image' });
 * const features = flatten()(conv2d({ filters: 8, kernelSize: 3, activation: 'relu' })(image));
 * const classifier = model({ inputs: image, outputs: { kind: dense({ units: 10 })(features), size: dense({ units: 1 })(features) } });
 */
export function model(options: FunctionalModelOptions): LayeredModel {
  return new LayeredModel(partsOf(options));
}

/** What {@link model} makes a model of. */
export function partsOf({ inputs, outputs, name = 'model', seed = 0 }: FunctionalModelOptions): LayeredModelParts {
  const namedInputs = nameInputs(inputs);
  const namedOutputs = nameOutputs(outputs);
  return { name, ...assemble({ name, seed, inputs: namedInputs, outputs: namedOutputs }) };
}

function nameInputs(inputs: SymbolicTensors): readonly NamedTensor[] {
  const entries = entriesOf(inputs);
  const taken = new Set<string>();
  const named = entries.map(({ key, tensor }): NamedTensor => {
    if ('application' in tensor.origin) {
      throw new ModelwrightError(
        'invalid-argument',
        'a model begins with tensors made by input(), not with outputs of layers',
      );
    }
    return { name: key ?? tensor.origin.inputName ?? numbered('input', taken), tensor };
  });
  return requireDistinct(named, 'inputs');
}

function nameOutputs(outputs: SymbolicTensors): readonly NamedTensor[] {
  const entries = entriesOf(outputs);
  const taken = new Set<string>();
  const named = entries.map(({ key, tensor }): NamedTensor => {
    const { origin } = tensor;
    const layer = 'application' in origin ? origin.application.layer.definition : undefined;
    const fallback = entries.length === 1 ? 'output' : (layer?.options.name ?? layer?.kind ?? 'output');
    const name = key ?? numbered(fallback, taken);
    taken.add(name);
    return { name, tensor };
  });
  return requireDistinct(named, 'outputs');
}

function entriesOf(tensors: SymbolicTensors): readonly { readonly key?: string; readonly tensor: SymbolicTensor }[] {
  if (tensors instanceof SymbolicTensor) return [{ tensor: tensors }];
  if (Array.isArray(tensors)) return tensors.map((tensor: SymbolicTensor) => ({ tensor }));
  return Object.entries(tensors as { readonly [name: string]: SymbolicTensor }).map(([key, tensor]) => ({
    key,
    tensor,
  }));
}

function numbered(base: string, taken: Set<string>): string {
  let name = base;
  for (let count = 1; taken.has(name); count++) name = `${base}_${count}`;
  taken.add(name);
  return name;
}

function requireDistinct(named: readonly NamedTensor[], what: string): readonly NamedTensor[] {
  const twice = named.find(({ name }, index) => named.findIndex((other) => other.name === name) !== index);
  if (named.length === 0) throw new ModelwrightError('invalid-argument', `a model needs ${what}`);
  if (twice === undefined) return named;
  throw new ModelwrightError('invalid-argument', `two of the model's ${what} are named '${twice.name}'`, {
    given: twice.name,
  });
}
