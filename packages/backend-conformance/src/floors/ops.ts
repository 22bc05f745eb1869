import {
  definitionOf,
  type Graph,
  isModelwrightError,
  type Node,
  statelessProgram,
  subgraphsOf,
  type TensorMap,
} from '@modelwright/core';
import { type CaseGraph, caseGraph, gradientCaseGraph, type OpCase, opCases } from '@modelwright/core/cases';
import { describe, expect, test } from 'vitest';
import { caseTolerance, firstDifference, reference, type Suite } from '../suite.js';

/** Every case of every op, and the gradient graph of every differentiable one. */
export function describeOps(suite: Suite): void {
  describe('ops', () => {
    for (const opCase of opCases) declare(suite, opCase, opCase.id, () => caseGraph(opCase));
  });
  describe('gradients', () => {
    for (const opCase of opCases) {
      if (opCase.differentiable !== undefined) {
        declare(suite, opCase, `${opCase.id} gradient`, () => gradientCaseGraph(opCase));
      }
    }
  });
  test('every known failure names a case', () => {
    const ids = new Set(opCases.flatMap(({ id }) => [id, `${id} gradient`]));
    const stale = Object.keys(suite.options.knownFailures ?? {}).filter((id) => !ids.has(id));
    expect(stale).toEqual([]);
  });
}

function declare(suite: Suite, opCase: OpCase, id: string, build: () => CaseGraph): void {
  // A gradient graph holds the op itself, so what the op cannot do its gradient cannot.
  const reason = suite.options.knownFailures?.[id] ?? suite.options.knownFailures?.[opCase.id];
  if (reason === undefined) {
    test(id, async () => {
      const { graph, inputs } = build();
      const refusal = refusalOf(suite, graph);
      if (refusal === undefined) {
        expect(await compare(suite, opCase, id, graph, inputs)).toBeUndefined();
        suite.outcomes.set(id, 'passed');
      } else {
        await expectRefusal(suite, graph, refusal);
        suite.outcomes.set(id, 'refused');
      }
    });
    return;
  }
  suite.outcomes.set(id, 'known failure');
  test.fails(`${id}: ${reason}`, async () => {
    const { graph, inputs } = build();
    expect(await compare(suite, opCase, id, graph, inputs)).toBeUndefined();
  });
}

async function compare(
  suite: Suite,
  opCase: OpCase,
  id: string,
  graph: Graph,
  inputs: TensorMap,
): Promise<string | undefined> {
  const expected = await (await reference.compile(statelessProgram(graph))).run(inputs);
  const executable = await suite.backend().compile(statelessProgram(graph), { name: id, debug: true });
  try {
    const actual = await executable.run(inputs);
    return firstDifference(actual, expected, caseTolerance(suite, id, opCase.accumulation, opCase.tolerance));
  } finally {
    await executable.dispose();
  }
}

/** The code a backend must refuse a graph with, from what it says of itself; undefined if it should run it. */
export function refusalOf(suite: Suite, graph: Graph): 'unsupported-dtype' | 'unsupported-op' | undefined {
  const { dtypes, ops } = suite.backend().capabilities;
  const border = [...graph.inputs, ...graph.outputs.map(({ value }) => value)];
  if (border.some(({ dtype }) => !dtypes.has(dtype))) return 'unsupported-dtype';
  return nodesOf(graph).every((node) => isRun(node, ops)) ? undefined : 'unsupported-op';
}

// An op that decomposes counts as run: whether its pieces are, the case itself shows.
function isRun(node: Node, ops: ReadonlySet<string>): boolean {
  return ops.has(node.op) || definitionOf(node)?.decompose !== undefined;
}

function nodesOf(graph: Graph): readonly Node[] {
  return graph.nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(({ graph: inner }) => nodesOf(inner))]);
}

/** Expects that compiling `graph` is refused with `code`. */
export async function expectRefusal(suite: Suite, graph: Graph, code: string): Promise<void> {
  const failure = await suite
    .backend()
    .compile(statelessProgram(graph))
    .then(
      () => 'it compiled',
      (error: unknown) => (isModelwrightError(error) ? error.code : String(error)),
    );
  expect(failure).toBe(code);
}
