import { allocateData, ModelwrightError, Tensor, type TensorMap, type Value } from '@modelwright/core';
import { isElementType } from '../engine/element-type.js';
import type { Engine, EngineRunOptions, EngineValue, RunPlan, Session } from '../engine/engine.js';
import { bindSymbols, resolveShape } from './output-shape.js';

/** Where a run's inputs come from and its outputs go to. */
export interface RuntimeRequest {
  /** Given by the caller, by input name. */
  readonly given: TensorMap;
  /** Memory behind an input or output that is not the caller's. */
  readonly held: (value: Value, side: 'input' | 'output') => EngineValue | undefined;
  /** Outputs wanted. */
  readonly outputs: readonly Value[];
  readonly options: EngineRunOptions;
}

/** The part of a program that ONNX Runtime computes. */
export class RuntimeGraph {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #inputs: readonly Value[];
  readonly #plans = new Map<string, RunPlan>();

  constructor(engine: Engine, session: Session, inputs: readonly Value[]) {
    this.#engine = engine;
    this.#session = session;
    this.#inputs = inputs;
  }

  /** @returns the wanted outputs in order; memory that was held for one is returned as it lies. */
  async run(request: RuntimeRequest): Promise<Tensor[]> {
    const temporary: EngineValue[] = [];
    const hold = (tensor: Tensor): EngineValue => {
      const value = this.#engine.createValue(tensor);
      temporary.push(value);
      return value;
    };
    try {
      const inputs = this.#inputs.map((input) => request.held(input, 'input') ?? hold(givenFor(input, request.given)));
      const symbols = bindSymbols(this.#inputs, request.given);
      const outputs = request.outputs.map((value) => {
        const held = request.held(value, 'output');
        if (held !== undefined) return held;
        const shape = resolveShape(value.shape, symbols);
        if (shape === undefined || value.dtype === 'string' || !isElementType(value.dtype)) return null;
        const count = shape.reduce((product, extent) => product * extent, 1);
        return hold(new Tensor(value.dtype, shape, allocateData(value.dtype, count)));
      });
      return await this.#plan(request.outputs).run(inputs, outputs, request.options);
    } finally {
      for (const value of temporary) value.dispose();
    }
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }

  #plan(outputs: readonly Value[]): RunPlan {
    const names = outputs.map(({ name }) => name);
    const key = JSON.stringify(names);
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      plan = this.#session.plan(
        this.#inputs.map(({ name }) => name),
        names,
      );
      this.#plans.set(key, plan);
    }
    return plan;
  }
}

function givenFor(input: Value, given: TensorMap): Tensor {
  const tensor = given[input.name];
  if (tensor !== undefined) return tensor;
  throw new ModelwrightError('invalid-argument', `the input '${input.name}' was not given`, { input: input.name });
}
