import { type DType, dtypes, ModelwrightError, type Tensor } from '@modelwright/core';
import { isExchanged } from '../engine/element-type.js';
import type { Engine } from '../engine/engine.js';
import type {
  Accelerator,
  AcceleratorSession,
  AcceleratorSessionOptions,
  DeviceTensor,
  Placed,
} from './accelerator.js';

/** A device behind an engine that knows host memory only: tensors go there and come back with every run. */
export class EngineAccelerator implements Accelerator {
  readonly device: string;
  readonly version: string;
  readonly keepsTensors = false;
  readonly types: ReadonlySet<DType>;
  readonly #engine: Engine;

  constructor(device: string, engine: Engine) {
    this.device = device;
    this.version = engine.version;
    this.types = new Set(dtypes.filter((dtype) => isExchanged(dtype, engine.kind)));
    this.#engine = engine;
  }

  canHold(): boolean {
    return false;
  }

  async createSession(model: Uint8Array, options: AcceleratorSessionOptions): Promise<AcceleratorSession> {
    const session = await this.#engine.createSession(model, options.session);
    const inputNames = session.inputs.map(({ name }) => name);
    const outputNames = session.outputs.map(({ name }) => name);
    const plan = session.plan(inputNames, outputNames);
    return {
      inputNames,
      run: async (feeds) => {
        const values = inputNames.map((name) => this.#engine.createValue(feeds.get(name) as Tensor));
        try {
          const results = await plan.run(
            values,
            outputNames.map(() => null),
          );
          return new Map(outputNames.map((name, index): [string, Placed] => [name, results[index] as Tensor]));
        } finally {
          for (const value of values) value.dispose();
        }
      },
      dispose: () => session.dispose(),
    };
  }

  upload(): Promise<DeviceTensor> {
    return Promise.reject(this.#refusal());
  }

  download(): Promise<Tensor> {
    return Promise.reject(this.#refusal());
  }

  dispose(): Promise<void> {
    return this.#engine.dispose();
  }

  #refusal(): ModelwrightError {
    return new ModelwrightError('invalid-argument', `tensors cannot stay on '${this.device}' through this engine`);
  }
}
