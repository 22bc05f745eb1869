import {
  evaluateGraph,
  fromNumbers,
  GraphBuilder,
  inlineGraph,
  Model,
  type Tensor,
  type TensorMap,
  toNumbers,
  type Value,
  verify,
} from '@modelwright/core';
import { caseGraph, type OpCase, opCases } from '@modelwright/core/cases';
import { expect, test } from 'vitest';
import { optimizeGraph } from './optimize-graph.js';

/** Numbers about 1.3 that differ from place to place. */
const vary = (shape: readonly number[], seed: number): Tensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return fromNumbers(
    'float32',
    shape,
    Array.from({ length: count }, (_, at) => Math.sin(seed + 2.3 * at) + 1.3),
  );
};

const perChannel = ({ shape }: Value): readonly number[] => [Number(shape[1]), ...shape.slice(2).map(() => 1)];

/** Whether scaling of channels can stand at a value. */
const scales = ({ dtype, shape }: Value): boolean =>
  dtype === 'float32' && shape.length > 1 && shape.every((extent) => typeof extent === 'number' && extent > 0);

/** The case with its first input fed and the others known, channels scaled before, and scaled and rows shifted behind it. */
function scaledCase(opCase: OpCase): { readonly model: Model; readonly inputs: TensorMap } {
  const { graph, inputs } = caseGraph(opCase);
  const builder = new GraphBuilder('case');
  const scaled = (x: Value): Value => {
    if (!scales(x)) return x;
    const product = builder.op('Mul', [x, builder.constant(vary(perChannel(x), 2))]);
    return builder.op('Add', [product, builder.constant(vary(perChannel(x), 5))]);
  };
  const bound = graph.inputs.map((input, at): [Value, Value] => {
    const tensor = inputs[input.name] as Tensor;
    if (at > 0) return [input, builder.constant(tensor, { name: input.name })];
    return [input, scaled(builder.input(input.name, input.dtype, input.shape))];
  });
  const outputs = inlineGraph(builder, graph, new Map(bound));
  graph.outputs.forEach(({ name }, at) => {
    const y = outputs[at] as Value;
    const row = scales(y) ? builder.constant(vary([Number(y.shape.at(-1))], 3)) : undefined;
    builder.output(name, row === undefined ? y : builder.op('Sub', [builder.op('Div', [scaled(y), row]), row]));
  });
  const [first] = graph.inputs;
  const fed = first === undefined ? {} : { [first.name]: inputs[first.name] as Tensor };
  return { model: new Model({ name: opCase.id, graph: builder.build(), parameters: [] }), inputs: fed };
}

const families = new Set(['convolution', 'pooling', 'linear-algebra', 'normalization', 'movement', 'reduction']);
const mostElements = 500;
const isOf = ({ id, op, inputs }: OpCase): boolean => {
  const [family = '', , what = ''] = id.split('/');
  const count = inputs.reduce((sum, input) => sum + (input?.shape.reduce((a, b) => a * b, 1) ?? 0), 0);
  // Sums of infinite numbers depend on their order; random ops and those of training do not come with scaling.
  return (
    families.has(family) && count < mostElements && !/NaN|nfinit/.test(what) && !/Random|Gradient|Training/.test(op)
  );
};

/** Every eighth, to be quick. */
const chosen = opCases.filter(isOf).filter((_, at) => at % 8 === 0);

test(`${chosen.length} of the op cases with scaling around them compute the same`, async () => {
  expect(chosen.length).toBeGreaterThan(50);
  let folded = 0;
  for (const opCase of chosen) {
    const { model, inputs } = scaledCase(opCase);
    const small = await optimizeGraph(model);
    verify(small.graph, opCase.id);
    if (small.graph.nodes.length < model.graph.nodes.length) folded++;
    const [before, after] = [evaluateGraph(model.graph, inputs), evaluateGraph(small.graph, inputs)];
    for (const [name, expected] of Object.entries(before)) {
      if (expected.dtype === 'string') continue;
      const [a, b] = [toNumbers(expected), toNumbers(after[name] as Tensor)];
      const largest = a.reduce((most, each) => (Number.isFinite(each) ? Math.max(most, Math.abs(each)) : most), 1);
      const worst = a.reduce(
        (most, each, at) => (Object.is(each, b[at]) ? most : Math.max(most, Math.abs(each - (b[at] ?? Number.NaN)))),
        0,
      );
      expect(worst / largest, `${opCase.id} ${name}`).toBeLessThan(expected.dtype === 'float16' ? 0.02 : 2e-6);
    }
  }
  expect(folded).toBeGreaterThan(chosen.length / 4);
});
