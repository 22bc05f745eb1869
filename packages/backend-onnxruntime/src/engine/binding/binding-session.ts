import { type DType, ModelwrightError, Tensor, type TensorData } from '@modelwright/core';
import { checkMemory, type ElementType, isBindingType } from '../element-type.js';
import type { EngineRunOptions, EngineValue, RunPlan, Session, ValueMetadata } from '../engine.js';
import { requireKnown } from '../native/native-session.js';
import { toRuntimeError } from '../runtime-error.js';
import type { BindingApi, BindingInferenceSession, BindingMetadata, BindingTensor } from './binding-api.js';

/** A tensor of the stock API over the caller's memory. */
export class BindingValue implements EngineValue {
  readonly tensor: Tensor;
  readonly wrapped: BindingTensor;

  constructor(api: BindingApi, tensor: Tensor) {
    if (!isBindingType(tensor.dtype))
      throw new ModelwrightError('unsupported-dtype', `The binding engine cannot carry ${tensor.dtype} tensors.`);
    this.tensor = tensor;
    const data = tensor.dtype === 'string' ? (tensor.data as string[]) : checkMemory(tensor);
    this.wrapped = new api.Tensor(tensor.dtype, data, tensor.shape);
  }

  dispose(): void {
    // The stock API releases its handle with every run; there is nothing to free.
  }
}

/** A model loaded by the stock API. */
export class BindingSession implements Session {
  readonly inputs: readonly ValueMetadata[];
  readonly outputs: readonly ValueMetadata[];
  readonly #session: BindingInferenceSession;
  readonly #onClosed: () => void;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(session: BindingInferenceSession, onClosed: () => void) {
    this.#session = session;
    this.#onClosed = onClosed;
    this.inputs = session.inputMetadata.map((one) => toMetadata(one, 'input'));
    this.outputs = session.outputMetadata.map((one) => toMetadata(one, 'output'));
  }

  plan(inputNames: readonly string[], outputNames: readonly string[]): RunPlan {
    requireKnown('input', inputNames, this.inputs);
    requireKnown('output', outputNames, this.outputs);
    return {
      run: (inputs, outputs, options) =>
        this.#track(this.#run({ inputNames, outputNames }, [inputs, outputs], options)),
    };
  }

  dispose(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#session.release();
    this.#onClosed();
  }

  #track<T>(run: Promise<T>): Promise<T> {
    this.#running.add(run);
    const settle = (): boolean => this.#running.delete(run);
    run.then(settle, settle);
    return run;
  }

  async #run(
    names: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
    [inputs, outputs]: readonly [readonly EngineValue[], readonly (EngineValue | null)[]],
    options: EngineRunOptions = {},
  ): Promise<Tensor[]> {
    if (this.#closing !== undefined) throw new ModelwrightError('resource-disposed', 'This session was disposed.');
    if (options.signal?.aborted) throw new ModelwrightError('aborted', 'The run was aborted before it began.');
    const feeds = Object.fromEntries(names.inputNames.map((name, index) => [name, toWrapped(inputs[index])]));
    const fetches = Object.fromEntries(
      names.outputNames.map((name, index) => [name, outputs[index] ? toWrapped(outputs[index]) : null]),
    );
    const results = await this.#session.run(feeds, fetches).catch((error: unknown) => {
      throw toRuntimeError((error as Error).message);
    });
    // Memory given for an output is filled in place; what the API returns for it is a copy of no use.
    return names.outputNames.map((name, index) => outputs[index]?.tensor ?? toTensor(results[name] as BindingTensor));
  }
}

function toWrapped(value: EngineValue | null | undefined): BindingTensor {
  if (value instanceof BindingValue) return value.wrapped;
  throw new ModelwrightError('invalid-argument', 'A value of another engine was given to the binding one.');
}

function toTensor(tensor: BindingTensor): Tensor {
  return new Tensor(tensor.type as DType, tensor.dims, tensor.data as TensorData);
}

/** Fetching a type the API cannot carry (an int4 output) ends the process, so such a model is refused when it is loaded. */
function toMetadata(metadata: BindingMetadata, side: string): ValueMetadata {
  const { name, isTensor, type, shape } = metadata;
  if (!isTensor || type === undefined || !isBindingType(type as DType))
    throw new ModelwrightError(
      'unsupported-dtype',
      `The model's ${side} '${name}' has a type the stock API cannot carry.`,
      {
        given: type,
      },
    );
  return { name, dtype: type as ElementType, shape: shape ?? [] };
}
