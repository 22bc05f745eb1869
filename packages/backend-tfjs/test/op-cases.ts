import {
  type Backend,
  createReferenceBackend,
  type Graph,
  isModelwrightError,
  statelessProgram,
  type Tensor,
  type TensorMap,
} from '@modelwright/core';
import {
  type CaseGraph,
  caseGraph,
  differenceOf,
  gradientCaseGraph,
  type OpCase,
  opCases,
  toleranceFor,
} from '@modelwright/core/cases';
import { afterAll, describe, expect, it } from 'vitest';

const reference = createReferenceBackend();

/** Random ops agree in distribution only. */
const isRandom = ({ op }: OpCase): boolean => /^(Random|Bernoulli|Multinomial|Dropout)/.test(op);

async function difference(
  backend: Backend,
  opCase: OpCase,
  { graph, inputs }: { graph: Graph; inputs: TensorMap },
): Promise<string | undefined> {
  const expected = await (await reference.compile(statelessProgram(graph))).run(inputs);
  const executable = await backend.compile(statelessProgram(graph), { name: opCase.id, debug: true });
  const actual = await executable.run(inputs).finally(() => executable.dispose());
  for (const [name, tensor] of Object.entries(expected)) {
    const tolerance = toleranceFor(tensor.dtype, opCase.accumulation);
    const { relative = 0, absolute = 0 } = opCase.tolerance ?? {};
    const wide = { relative: Math.max(tolerance.relative, relative), absolute: Math.max(tolerance.absolute, absolute) };
    const found = differenceOf(actual[name] as Tensor, tensor, wide);
    if (found !== undefined) return `${name}: ${found}`;
  }
  return undefined;
}

/** Compares a backend with the reference evaluator on every op case and its gradient. */
export function describeOpCases(open: () => Promise<Backend>, limits: { readonly [id: string]: string }): void {
  const backend = open();
  afterAll(async () => (await backend).dispose());
  const forward = opCases.filter((opCase) => !isRandom(opCase));
  const expectAgreement = async (opCase: OpCase, made: CaseGraph, limit: string | undefined): Promise<void> => {
    const found = difference(await backend, opCase, made);
    if (limit === undefined) return expect(await found).toBeUndefined();
    // What is listed must fail, by a typed error or by its numbers; when it starts to work, the list has to shrink.
    const failure = await found.catch((error: unknown) => isModelwrightError(error) || Promise.reject(error));
    return expect(failure, `${opCase.id} works now, though: ${limit}`).toBeDefined();
  };
  describe('ops equal the reference', () => {
    it.each(forward.map((opCase) => [opCase.id, opCase] as const))('%s', async (id, opCase) => {
      await expectAgreement(opCase, caseGraph(opCase), limits[id]);
    });
  });
  describe('gradients of ops equal the reference', () => {
    const differentiable = forward.filter((opCase) => opCase.differentiable !== undefined && !(opCase.id in limits));
    it.each(differentiable.map((opCase) => [opCase.id, opCase] as const))('%s', async (id, opCase) => {
      await expectAgreement(opCase, gradientCaseGraph(opCase), limits[`${id} gradient`]);
    });
  });
}
