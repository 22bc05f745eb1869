import {
  createReferenceBackend,
  type Graph,
  isModelwrightError,
  statelessProgram,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type CaseGraph,
  caseGraph,
  differenceOf,
  gradientCaseGraph,
  type OpCase,
  opCases,
  toleranceFor,
} from '../../core/src/cases/index.js';
import { createBackend } from './backend.js';
import { knownLimits } from './known-limits.js';

const runtime = createBackend();
const reference = createReferenceBackend();
afterAll(async () => (await runtime).dispose());

/** Random ops agree in distribution only. */
const isRandom = ({ op }: OpCase): boolean => /^(Random|Bernoulli|Multinomial|Dropout)/.test(op);

async function difference(opCase: OpCase, graph: Graph, inputs: TensorMap): Promise<string | undefined> {
  const expected = await (await reference.compile(statelessProgram(graph))).run(inputs);
  const executable = await (await runtime).compile(statelessProgram(graph), { name: opCase.id, debug: true });
  const actual = await executable.run(inputs);
  await executable.dispose();
  for (const [name, tensor] of Object.entries(expected)) {
    const tolerance = toleranceFor(tensor.dtype, opCase.accumulation);
    const { relative = 0, absolute = 0 } = opCase.tolerance ?? {};
    const wide = { relative: Math.max(tolerance.relative, relative), absolute: Math.max(tolerance.absolute, absolute) };
    const found = differenceOf(actual[name] as Tensor, tensor, wide);
    if (found !== undefined) return `${name}: ${found}`;
  }
  return undefined;
}

const forward = opCases.filter((opCase) => !isRandom(opCase));
const differentiable = forward.filter((opCase) => opCase.differentiable !== undefined && !(opCase.id in knownLimits));

/** int4 has no array in JavaScript that the runtime takes; it may only live inside a graph. */
function crossesBorder({ inputs, outputs }: Graph): boolean {
  return [...inputs, ...outputs.map(({ value }) => value)].some(({ dtype }) => dtype === 'int4' || dtype === 'uint4');
}

async function expectAgreement(opCase: OpCase, { graph, inputs }: CaseGraph, limit: string | undefined): Promise<void> {
  const found = difference(opCase, graph, inputs);
  if (crossesBorder(graph)) return expect(found).rejects.toMatchObject({ code: 'unsupported-dtype' });
  if (limit === undefined) return expect(await found).toBeUndefined();
  // What is listed must fail, by a typed error or by its numbers; when it starts to work, the list has to shrink.
  const failure = await found.catch((error: unknown) => isModelwrightError(error) || Promise.reject(error));
  return expect(failure, `${opCase.id} works now, though: ${limit}`).toBeDefined();
}

describe('ops equal the reference', () => {
  it.each(forward.map((opCase) => [opCase.id, opCase] as const))('%s', async (id, opCase) => {
    await expectAgreement(opCase, caseGraph(opCase), knownLimits[id]);
  });
});

describe('gradients of ops equal the reference', () => {
  it.each(differentiable.map((opCase) => [opCase.id, opCase] as const))('%s', async (id, opCase) => {
    await expectAgreement(opCase, gradientCaseGraph(opCase), knownLimits[`${id} gradient`]);
  });
});
