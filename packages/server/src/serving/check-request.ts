import { compatibleShape, formatShape, ModelwrightError, type Tensor, type TensorMap } from '@modelwright/core';
import type { TensorInfo } from '@modelwright/deployment';
import type { Signature } from './signature.js';

/** What a request that was found in order asks for. */
export interface CheckedRequest {
  readonly inputs: TensorMap;
  /** Names asked for, if not all. */
  readonly outputs: readonly string[] | undefined;
  /** Examples in it; 1 without a batch axis. */
  readonly rowCount: number;
  /** Requests of equal keys may run together. */
  readonly key: string;
}

/**
 * Checks requests against a signature before anything is queued or allocated, so that what a client did wrong is told in its terms
 * and never by the runtime.
 */
export class RequestChecker {
  readonly #name: string;
  readonly #signature: Omit<Signature, 'program'>;
  readonly #inputNames: ReadonlySet<string>;
  readonly #outputNames: readonly string[];
  /** Whether all extents but the first are fixed, so that all requests go together. */
  readonly #isUniform: boolean;
  /** Whether a symbol stands at more than one place, where requests may contradict themselves. */
  readonly #sharesSymbols: boolean;

  constructor(name: string, signature: Omit<Signature, 'program'>) {
    this.#name = name;
    this.#signature = signature;
    this.#inputNames = new Set(signature.inputs.map((input) => input.name));
    this.#outputNames = signature.outputs.map((output) => output.name);
    this.#isUniform = signature.inputs.every(({ shape }) =>
      shape.slice(1).every((extent) => typeof extent === 'number'),
    );
    const symbols = signature.inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === 'string'));
    this.#sharesSymbols = new Set(symbols).size < symbols.length;
  }

  /** @throws {@link ModelwrightError} `invalid-argument`, `dtype-mismatch`, `shape-mismatch` naming the input. */
  check(given: TensorMap, outputs?: readonly string[]): CheckedRequest {
    this.#checkNames(given, outputs);
    const inputs: { [name: string]: Tensor } = {};
    let key = '';
    for (const declared of this.#signature.inputs) {
      const tensor = this.#checkedInput(declared, given);
      inputs[declared.name] = tensor;
      if (!this.#isUniform) key += `${tensor.shape.slice(1)};`;
    }
    if (this.#sharesSymbols) this.#checkSymbols(inputs);
    if (outputs !== undefined) key += JSON.stringify(outputs);
    return { inputs, outputs, rowCount: this.#rowCountOf(inputs), key };
  }

  #checkNames(given: TensorMap, outputs: readonly string[] | undefined): void {
    for (const name of Object.keys(given))
      if (!this.#inputNames.has(name)) throw this.#unknown('input', name, [...this.#inputNames]);
    for (const name of outputs ?? [])
      if (!this.#outputNames.includes(name)) throw this.#unknown('output', name, this.#outputNames);
  }

  #unknown(side: string, name: string, allowed: readonly string[]): ModelwrightError {
    const message = `model '${this.#name}' has no ${side} '${name}'; it has: ${allowed.join(', ')}`;
    return new ModelwrightError('invalid-argument', message, { input: name, allowed });
  }

  #checkedInput({ name, dtype, shape }: TensorInfo, given: TensorMap): Tensor {
    const tensor = Object.hasOwn(given, name) ? given[name] : this.#signature.defaults[name];
    const where = `input '${name}' of model '${this.#name}'`;
    if (tensor === undefined)
      throw new ModelwrightError('invalid-argument', `${where} (${dtype} ${formatShape(shape)}) is missing`, {
        input: name,
      });
    if (tensor.dtype !== dtype)
      throw new ModelwrightError('dtype-mismatch', `${where} is ${dtype}, but ${tensor.dtype} was given`, {
        input: name,
        given: tensor.dtype,
        allowed: dtype,
      });
    if (!compatibleShape(tensor.shape, shape))
      throw new ModelwrightError(
        'shape-mismatch',
        `${where} has shape ${formatShape(shape)}, but ${formatShape(tensor.shape)} was given`,
        { input: name, given: tensor.shape, allowed: shape },
      );
    return tensor;
  }

  #checkSymbols(inputs: TensorMap): void {
    const known = new Map<string, { readonly extent: number; readonly input: string }>();
    for (const { name, shape } of this.#signature.inputs)
      for (const [axis, symbol] of shape.entries()) {
        const extent = inputs[name]?.shape[axis] as number;
        const before = typeof symbol === 'string' ? known.get(symbol) : undefined;
        if (before !== undefined && before.extent !== extent)
          throw new ModelwrightError(
            'shape-mismatch',
            `inputs '${before.input}' and '${name}' of model '${this.#name}' differ in '${symbol}': ${before.extent} and ${extent}`,
            { input: name, given: extent, allowed: before.extent },
          );
        if (typeof symbol === 'string') known.set(symbol, { extent, input: name });
      }
  }

  #rowCountOf(inputs: TensorMap): number {
    const { maxBatchSize, inputs: declared } = this.#signature;
    if (maxBatchSize === 0) return 1;
    const counts = declared.map(({ name }) => inputs[name]?.shape[0] as number);
    const rowCount = counts[0] as number;
    if (counts.some((count) => count !== rowCount))
      throw new ModelwrightError(
        'shape-mismatch',
        `the inputs of model '${this.#name}' hold different numbers of examples: ${counts.join(', ')}`,
        { given: counts },
      );
    if (rowCount > 0) return rowCount;
    throw new ModelwrightError('invalid-argument', `the inputs of model '${this.#name}' hold no example`, { given: 0 });
  }
}
