import { fromNumbers, type Node, type Tensor, toNumbers, type Value } from '@modelwright/core';
import type { GraphEditor } from './graph-editor.js';
import { combineSpreads, type Spread, spreadOf } from './spread.js';
import type { WorkingModel } from './working-model.js';

/** Weights made of weights, so that what is shared stays shared. */
export type MadeWeights = Map<Value, Map<string, Value>>;

export interface WeightEditOptions {
  readonly made: MadeWeights;
  /** Whether a large weight, or a parameter, may be copied that other nodes read as it is. */
  readonly copies: boolean;
}

/** As many elements are copied without asking. */
const fewElements = 1024;

/** A change of the graph that has been found possible and is not made yet. */
export type Edit = () => void;

/**
 * Changes weights of nodes, as new constants: another node that reads the same weight keeps it. The same change of the same weight
 * gives the same constant, so that a weight which two nodes share is still one where both are changed alike.
 */
export class WeightEdits {
  readonly model: WorkingModel;
  readonly editor: GraphEditor;
  readonly #made: MadeWeights;
  readonly #copies: boolean;

  constructor(model: WorkingModel, editor: GraphEditor, { made, copies }: WeightEditOptions) {
    this.model = model;
    this.editor = editor;
    this.#made = made;
    this.#copies = copies;
  }

  /** Where a channel counts in the weight of a node. */
  weightOf(node: Node): { readonly value: Value; readonly tensor: Tensor } | undefined {
    const value = node.inputs[1];
    const tensor = this.editor.constantOf(value);
    if (value === undefined || tensor === undefined || tensor.rank < 2) return undefined;
    return this.mayChange(value) ? { value, tensor } : undefined;
  }

  /** Whether a weight may become another one, though others may read it as it is. */
  mayChange(value: Value): boolean {
    const count = this.editor.constantOf(value)?.elementCount ?? 0;
    const isDear = count > fewElements || this.model.originOf(value) !== undefined;
    return this.#copies || !isDear || this.editor.readersOf(value).length === 1;
  }

  /** `weight · spread`, the spread of the weight's rank. */
  scaled(value: Value, spread: Spread): Value {
    return this.#derived(value, spread, 'scaled', (a, b) => a * b);
  }

  /** `weight + spread`. */
  shifted(value: Value, spread: Spread): Value {
    return this.#derived(value, spread, 'shifted', (a, b) => a + b);
  }

  /** A bias for a node that had none: `from` in another shape, or a new one beside the node's weight. */
  bias(weight: Value, data: Float64Array, from?: Value): Value {
    if (from !== undefined)
      return this.model.derive(this.editor, from, fromNumbers(from.dtype as 'float32', [data.length], data));
    return this.#once(weight, `bias:${data.join()}`, () => {
      const tensor = fromNumbers(weight.dtype as 'float32', [data.length], data);
      return this.model.addBeside(this.editor, weight, { name: 'bias', tensor });
    });
  }

  /** Puts another value at one of the inputs of the node that makes `output`. */
  setInput(output: Value, index: number, value: Value): void {
    const node = this.editor.producerOf(output) as Node;
    const inputs = Array.from({ length: Math.max(node.inputs.length, index + 1) }, (_, at) => node.inputs[at]);
    inputs[index] = value;
    this.editor.update(node, { inputs });
  }

  #derived(value: Value, spread: Spread, what: string, combine: (a: number, b: number) => number): Value {
    return this.#once(value, `${what}:${spread.shape}:${spread.data.join()}`, () => {
      const tensor = this.editor.constantOf(value) as Tensor;
      const rank = spread.shape.length;
      const result = combineSpreads(spreadOf(tensor, rank), spread, combine) as Spread;
      return this.model.derive(this.editor, value, asTensor(result, value, tensor.rank));
    });
  }

  #once(value: Value, key: string, make: () => Value): Value {
    const made = this.#made.get(value) ?? new Map<string, Value>();
    this.#made.set(value, made);
    const known = made.get(key);
    if (known !== undefined) return known;
    const fresh = make();
    made.set(key, fresh);
    return fresh;
  }
}

// A bias of one axis stays one, though it was combined as broadcast over more.
function asTensor({ shape, data }: Spread, like: Value, rank: number): Tensor {
  const leading = shape.findIndex((extent) => extent !== 1);
  const drop = Math.min(shape.length - rank, leading < 0 ? shape.length : leading);
  return fromNumbers(like.dtype as 'float32', shape.slice(Math.max(0, drop)), data);
}

/** `Σ over all but the kept axis of weight · vector`, with the vector along `axis`: what a constant in the input adds to each output. */
export function contract(
  weight: Tensor,
  pick: (place: readonly number[]) => { readonly from: number; readonly to: number },
  { vector, length }: { readonly vector: Float64Array; readonly length: number },
): Float64Array {
  const result = new Float64Array(length);
  const numbers = toNumbers(weight);
  const place = new Array<number>(weight.rank).fill(0);
  for (let index = 0; index < numbers.length; index++) {
    const { from, to } = pick(place);
    result[to] = (result[to] as number) + (numbers[index] as number) * (vector[from] as number);
    for (let axis = weight.rank - 1; axis >= 0; axis--) {
      place[axis] = (place[axis] as number) + 1;
      if ((place[axis] as number) < (weight.shape[axis] as number)) break;
      place[axis] = 0;
    }
  }
  return result;
}
