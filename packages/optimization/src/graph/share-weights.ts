import type { Tensor, Value } from '@modelwright/core';
import type { WorkingModel } from './working-model.js';

/** Smaller tensors are not worth looking at. */
const leastElements = 256;

/** Lets equal weights be one: exporters write tied weights down twice. Weights that are all one number are left alone. */
export function shareEqualWeights(model: WorkingModel): number {
  const seen = new Map<string, { readonly value: Value; readonly tensor: Tensor }[]>();
  const replacements = new Map<Value, Value>();
  for (const [value, tensor] of model.graph.constants) {
    if (tensor.elementCount < leastElements || tensor.dtype === 'string' || isConstant(tensor)) continue;
    const key = `${tensor.dtype}[${tensor.shape}]${sketch(tensor)}`;
    const twins = seen.get(key) ?? [];
    const twin = twins.find((each) => sameData(each.tensor, tensor));
    if (twin === undefined) seen.set(key, [...twins, { value, tensor }]);
    else replacements.set(value, twin.value);
  }
  if (replacements.size > 0)
    model.edit((editor) => {
      for (const [from, to] of replacements)
        if (editor.readersOf(from).length > 0 || editor.isOutput(from)) editor.redirect(from, to);
    });
  return replacements.size;
}

type Numbers = ArrayLike<number | bigint>;

function sketch({ data }: Tensor): string {
  const numbers = data as Numbers;
  return Array.from({ length: 8 }, (_, index) => numbers[Math.floor((index * (numbers.length - 1)) / 7)]).join();
}

function isConstant({ data }: Tensor): boolean {
  const numbers = data as Numbers;
  for (let index = 1; index < numbers.length; index++) if (numbers[index] !== numbers[0]) return false;
  return true;
}

function sameData(a: Tensor, b: Tensor): boolean {
  const [left, right] = [a.data as Numbers, b.data as Numbers];
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}
