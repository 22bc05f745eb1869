import { ModelwrightError } from '../errors.js';
import { zerosOf } from '../graph/shape-ops.js';
import { allocateData } from '../tensor/dtype.js';
import { compatibleShape, concreteShape, type Dimension, formatShape } from '../tensor/shape.js';
import { elementCountOf, Tensor } from '../tensor/tensor.js';
import type { EvaluateContext, GradientContext, InferContext, OpFamily } from './definition.js';
import { checkConstantIndices, checkElementIndices, elementPlaces, slicePlaces } from './gathering.js';
import type { IndexingAttributes, ScatterReduction } from './indexing.js';
import { exactly } from './rules.js';
import { checkedAxis, requireDType } from './shape-inputs.js';

const reductions: readonly ScatterReduction[] = ['none', 'add', 'mul', 'max', 'min'];
const reduction = { kind: 'string', default: 'none' } as const;

/** Ops that put updates into computed places of a copy of the data; several updates of one place are reduced in order. */
export const scattering: OpFamily<Pick<IndexingAttributes, 'ScatterElements' | 'ScatterND'>> = {
  // y = x; y[i with i[axis] replaced by index[i]] ⊕= update[i]
  ScatterElements: {
    inputs: exactly(3),
    outputs: exactly(1),
    attributes: { axis: { kind: 'int', default: 0 }, reduction },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const axis = checkedAxis(context.attributes.axis, shape.length, context.fail);
      requireDType(context, 1, ['int64', 'int32'], 'the indices');
      checkElementIndices(context, shape, axis);
      checkConstantIndices(context, shape[axis] as Dimension, axis);
      checkUpdates(context, context.input(1).shape);
      checkReduction(context);
      return [{ dtype, shape }];
    },
    gradient: (context) => {
      const { builder, input, attributes, outputGradient: dy } = context;
      const { axis } = attributes;
      const dUpdates = builder.op('GatherElements', [dy, input(1)], { axis });
      if (differentiableReduction(context) === 'add') return [dy, undefined, dUpdates];
      const nothing = zerosOf(builder, dy.dtype, concreteShape(input(2).shape, `'${input(2).name}'`));
      return [builder.op('ScatterElements', [dy, input(1), nothing], { axis }), undefined, dUpdates];
    },
    evaluate: (context) => {
      const [data, indices] = [context.input(0), context.input(1)];
      const axis = checkedAxis(context.attributes.axis, data.rank, context.fail);
      return [scatter(context, elementPlaces(context, { shape: data.shape, indices, axis }), 1)];
    },
  },
  // y = x; y[index[i…, :]] ⊕= update[i…]
  ScatterND: {
    inputs: exactly(3),
    outputs: exactly(1),
    attributes: { reduction },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      requireDType(context, 1, ['int64'], 'the indices');
      const indices = context.input(1).shape;
      const depth = indices.at(-1);
      if (typeof depth !== 'number' || depth > shape.length) {
        const given = formatShape(indices);
        return context.fail(
          `the last extent of the indices' shape ${given} must be 1…${shape.length}, the axes of the data they address`,
          { given: indices, allowed: shape },
          typeof depth === 'string' ? 'unsupported-shape' : 'shape-mismatch',
        );
      }
      checkUpdates(context, [...indices.slice(0, -1), ...shape.slice(depth)]);
      checkReduction(context);
      return [{ dtype, shape }];
    },
    gradient: (context) => {
      const { builder, input, outputGradient: dy, needs } = context;
      const added = differentiableReduction(context) === 'add';
      const dUpdates = needs(2) ? builder.op('GatherND', [dy, input(1)]) : undefined;
      if (added || !needs(0)) return [dy, undefined, dUpdates];
      const nothing = zerosOf(builder, dy.dtype, concreteShape(input(2).shape, `'${input(2).name}'`));
      return [builder.op('ScatterND', [dy, input(1), nothing]), undefined, dUpdates];
    },
    evaluate: (context) => {
      const [data, indices] = [context.input(0), context.input(1)];
      const run = elementCountOf(data.shape.slice(indices.shape.at(-1) as number));
      return [scatter(context, slicePlaces(context, data.shape, indices), run)];
    },
  },
};

function checkUpdates(context: InferContext<object>, allowed: readonly Dimension[]): void {
  requireDType(context, 2, [context.input(0).dtype], 'the updates');
  const { shape } = context.input(2);
  if (compatibleShape(shape, allowed)) return;
  context.fail(`updates have shape ${formatShape(shape)}, the indices ask for ${formatShape(allowed)}`, {
    given: shape,
    allowed,
  });
}

function checkReduction(context: InferContext<{ reduction: ScatterReduction }>): void {
  const { reduction: given } = context.attributes;
  if (reductions.includes(given)) return;
  context.fail(`has no reduction '${given}'; allowed: ${reductions.join(', ')}`, { given }, 'invalid-attribute');
}

function differentiableReduction(context: GradientContext<{ reduction: ScatterReduction }>): 'none' | 'add' {
  const { reduction: given } = context.attributes;
  if (given === 'none' || given === 'add') return given;
  throw new ModelwrightError(
    'not-differentiable',
    `a scatter with reduction '${given}' has no gradient: which update decides an element is known only as it runs; reductions none and add have one`,
    { given, allowed: ['none', 'add'] },
  );
}

type Element = number | bigint | string;

const reducers: { readonly [R in ScatterReduction]: (old: Element, update: Element) => Element } = {
  none: (_, update) => update,
  add: (old, update) => ((old as number) + (update as number)) as Element,
  mul: (old, update) => (old as number) * (update as number),
  max: (old, update) => (update > old || Number.isNaN(update) ? update : old),
  min: (old, update) => (update < old || Number.isNaN(update) ? update : old),
};

/** Copies the data and reduces `run` consecutive updates into each place. */
function scatter(
  context: EvaluateContext<{ reduction: ScatterReduction }>,
  places: ArrayLike<number>,
  run: number,
): Tensor {
  const [source, updates] = [context.input(0), context.input(2)];
  const { dtype, shape } = source;
  const data = allocateData(dtype, source.elementCount) as unknown as Element[];
  for (let index = 0; index < data.length; index++) data[index] = source.data[index] as Element;
  const reduce = reducers[context.attributes.reduction];
  for (let at = 0; at < places.length * run; at++) {
    const place = (places[Math.floor(at / run)] as number) + (at % run);
    const result = reduce(data[place] as Element, updates.data[at] as Element);
    data[place] = dtype === 'bool' ? (result ? 1 : 0) : result;
  }
  return new Tensor(dtype, shape, data as never);
}
