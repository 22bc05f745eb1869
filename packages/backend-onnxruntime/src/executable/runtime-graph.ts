import {
  allocateData,
  dtypeFacts,
  ModelwrightError,
  sameShape,
  Tensor,
  type TensorMap,
  type Value,
} from '@modelwright/core';
import { isElementType } from '../engine/element-type.js';
import type { Engine, EngineRunOptions, EngineValue, RunPlan, Session } from '../engine/engine.js';
import { bindSymbols, resolveShape, type SymbolValues } from './output-shape.js';

/** Inputs up to this size are kept ready for a run with the same memory: a larger one would be held on to for nothing. */
const keptInputBytes = 2 ** 20;
/** Outputs up to this size are written into memory that is kept, and copied from there, which is cheaper than telling the runtime of new memory. */
const keptOutputBytes = 2 ** 14;

/** Where a run's inputs come from and its outputs go to. */
export interface RuntimeRequest {
  /** Given by the caller, by input name. */
  readonly given: TensorMap;
  /** Memory behind an input or output that is not the caller's. */
  readonly held?: (value: Value, side: 'input' | 'output') => EngineValue | undefined;
  /** Outputs wanted. The same array each time finds its plan at once. */
  readonly outputs: readonly Value[];
  readonly options: EngineRunOptions;
}

/** Values of a former run that the next one can use again. */
interface Frame {
  readonly inputs: (EngineValue | undefined)[];
  readonly outputs: (EngineValue | undefined)[];
}

interface Prepared {
  readonly plan: RunPlan;
  /** One for each run under way at the same time. */
  readonly frames: Frame[];
}

/** The part of a program that ONNX Runtime computes. */
export class RuntimeGraph {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #inputs: readonly Value[];
  readonly #prepared = new Map<string, Prepared>();
  #last: { readonly outputs: readonly Value[]; readonly prepared: Prepared } | undefined;

  constructor(engine: Engine, session: Session, inputs: readonly Value[]) {
    this.#engine = engine;
    this.#session = session;
    this.#inputs = inputs;
  }

  /** @returns the wanted outputs in order, each in memory of its own or in that which was held for it. */
  async run(request: RuntimeRequest): Promise<Tensor[]> {
    const { plan, frames } = this.#prepare(request.outputs);
    const frame = frames.pop() ?? { inputs: [], outputs: [] };
    const temporary: EngineValue[] = [];
    try {
      const inputs = this.#inputs.map(
        (input, index) =>
          request.held?.(input, 'input') ?? this.#inputValue(frame, index, { input, request, temporary }),
      );
      const symbols = bindSymbols(this.#inputs, request.given);
      const outputs = request.outputs.map(
        (value, index) =>
          request.held?.(value, 'output') ?? this.#outputValue(frame, index, { value, symbols, temporary }),
      );
      const tensors = await plan.run(inputs, outputs, request.options);
      return tensors.map((tensor, index) => (outputs[index] === frame.outputs[index] ? copyTensor(tensor) : tensor));
    } finally {
      for (const value of temporary) value.dispose();
      frames.push(frame);
    }
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
    for (const { frames } of this.#prepared.values())
      for (const { inputs, outputs } of frames) for (const value of [...inputs, ...outputs]) value?.dispose();
    this.#prepared.clear();
  }

  #inputValue(
    frame: Frame,
    index: number,
    { input, request, temporary }: { input: Value; request: RuntimeRequest; temporary: EngineValue[] },
  ): EngineValue {
    const tensor = request.given[input.name];
    if (tensor === undefined)
      throw new ModelwrightError('invalid-argument', `the input '${input.name}' was not given`, { input: input.name });
    const kept = frame.inputs[index];
    if (kept !== undefined && isSameMemory(kept.tensor, tensor)) return kept;
    const value = this.#engine.createValue(tensor);
    if (tensor.dtype === 'string' || tensor.elementCount * dtypeFacts[tensor.dtype].bytes > keptInputBytes) {
      temporary.push(value);
      return value;
    }
    kept?.dispose();
    frame.inputs[index] = value;
    return value;
  }

  #outputValue(
    frame: Frame,
    index: number,
    { value, symbols, temporary }: { value: Value; symbols: SymbolValues; temporary: EngineValue[] },
  ): EngineValue | null {
    const { dtype } = value;
    const shape = resolveShape(value.shape, symbols);
    if (shape === undefined || dtype === 'string' || !isElementType(dtype)) return null;
    const kept = frame.outputs[index];
    if (kept !== undefined && sameShape(kept.tensor.shape, shape)) return kept;
    const count = shape.reduce((product, extent) => product * extent, 1);
    const created = this.#engine.createValue(new Tensor(dtype, shape, allocateData(dtype, count)));
    kept?.dispose();
    const isKept = count * dtypeFacts[dtype].bytes <= keptOutputBytes;
    frame.outputs[index] = isKept ? created : undefined;
    if (!isKept) temporary.push(created);
    return created;
  }

  #prepare(outputs: readonly Value[]): Prepared {
    if (this.#last?.outputs === outputs) return this.#last.prepared;
    const names = outputs.map(({ name }) => name);
    const key = JSON.stringify(names);
    let prepared = this.#prepared.get(key);
    if (prepared === undefined) {
      const inputNames = this.#inputs.map(({ name }) => name);
      prepared = { plan: this.#session.plan(inputNames, names), frames: [] };
      this.#prepared.set(key, prepared);
    }
    this.#last = { outputs, prepared };
    return prepared;
  }
}

/** Whether a value made for `kept` serves `given`: memory that was detached meanwhile has no elements any more. */
function isSameMemory(kept: Tensor, given: Tensor): boolean {
  if (kept.data !== given.data || !sameShape(kept.shape, given.shape)) return false;
  return given.data.length === given.shape.reduce((product, extent) => product * extent, 1);
}

function copyTensor({ dtype, shape, data }: Tensor): Tensor {
  return new Tensor(dtype, shape, data.slice() as Tensor['data']);
}
