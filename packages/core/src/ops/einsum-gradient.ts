import type { Value } from '../graph/graph.js';
import type { GraphBuilder } from '../graph/graph-builder.js';
import { concreteShape } from '../tensor/shape.js';
import { fromNumbers, fullTensor, type Tensor } from '../tensor/tensor.js';
import type { GradientContext } from './definition.js';
import { type EinsumTerms, extentsOfLabels, parseEinsum } from './einsum-equation.js';

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * The cotangent of an operand is an einsum of `dy` with the other operands, to the operand's own labels:
 * `'ij,jk->ik'` gives `da = einsum('ik,jk->ij', dy, b)`.
 *
 * A label that only this operand has was summed: a vector of ones spreads the cotangent along it. A repeated label took a
 * diagonal: an identity matrix puts it back there. An axis of extent 1 that was broadcast is summed over.
 */
export function einsumGradient(context: GradientContext<{ equation: string }>): readonly (Value | undefined)[] {
  const operands = context.inputs.map((_, index) => context.input(index));
  const shapes = operands.map((value) => concreteShape(value.shape, `'${value.name}'`));
  const terms = parseEinsum(
    context.attributes.equation,
    shapes.map(({ length }) => length),
  ) as EinsumTerms;
  const extents = extentsOfLabels(terms, shapes) as ReadonlyMap<string, number>;
  const request = { builder: context.builder, dy: context.outputGradient, operands, shapes, terms, extents };
  return operands.map((_, index) => (context.needs(index) ? operandGradient(request, index) : undefined));
}

interface Request {
  readonly builder: GraphBuilder;
  readonly dy: Value;
  readonly operands: readonly Value[];
  readonly shapes: readonly (readonly number[])[];
  readonly terms: EinsumTerms;
  readonly extents: ReadonlyMap<string, number>;
}

/** Factors of an einsum as they are gathered. */
class Factors {
  readonly values: Value[] = [];
  readonly labels: (readonly string[])[] = [];
  readonly #letters: Map<string, string> = new Map();

  add(value: Value, labels: readonly string[]): void {
    this.values.push(value);
    this.labels.push(labels);
  }

  /** The equation with one plain letter for each label. */
  equation(output: readonly string[]): string {
    const term = (labels: readonly string[]): string => labels.map((label) => this.#letterOf(label)).join('');
    return `${this.labels.map(term).join(',')}->${term(output)}`;
  }

  #letterOf(label: string): string {
    const known = this.#letters.get(label) ?? (letters[this.#letters.size] as string);
    this.#letters.set(label, known);
    return known;
  }
}

function operandGradient(request: Request, index: number): Value {
  const { builder, dy, operands, shapes, terms, extents } = request;
  const factors = new Factors();
  factors.add(dy, terms.output);
  operands.forEach((operand, at) => {
    if (at !== index) factors.add(operand, terms.operands[at] as readonly string[]);
  });
  const shape = shapes[index] as readonly number[];
  const dtype = (operands[index] as Value).dtype;
  const output: string[] = [];
  (terms.operands[index] as readonly string[]).forEach((label, axis) => {
    const extent = shape[axis] as number;
    if (extent !== extents.get(label)) return;
    if (output.includes(label)) {
      const twin = `${label}'${axis}`;
      factors.add(builder.constant(identity(dtype, extent), { name: 'identity' }), [label, twin]);
      output.push(twin);
      return;
    }
    output.push(label);
    if (!spansLabel(request, index, label)) {
      factors.add(builder.constant(fullTensor(dtype, [extent], 1), { name: 'ones' }), [label]);
    }
  });
  const gradient = builder.op('Einsum', factors.values, { equation: factors.equation(output) });
  return output.length === shape.length ? gradient : builder.op('Reshape', [gradient, builder.integers(shape)]);
}

// Whether the output or another operand has the label at its full extent.
function spansLabel({ terms, shapes, extents }: Request, index: number, label: string): boolean {
  if (terms.output.includes(label)) return true;
  return terms.operands.some(
    (labels, at) =>
      at !== index && labels.some((own, axis) => own === label && shapes[at]?.[axis] === extents.get(label)),
  );
}

function identity(dtype: Value['dtype'], extent: number): Tensor {
  const numbers = new Float64Array(extent * extent);
  for (let at = 0; at < extent; at++) numbers[at * extent + at] = 1;
  return fromNumbers(dtype, [extent, extent], numbers);
}
