import { ModelwrightError, type Node, type Value } from '@modelwright/core';
import { type ScalarRule, scalarRules } from './scalar-ops.js';
import { isScalar, operandsOf } from './select-update.js';

/** One number of the scalar part, computed from earlier ones. */
interface ScalarStep {
  readonly target: number;
  readonly operands: readonly (number | undefined)[];
  readonly rule: ScalarRule;
  readonly isInteger: boolean;
}

/** Numbers that come from outside: a state slot, an input, an output of the runtime. */
export interface ScalarSource {
  readonly value: Value;
  readonly position: number;
}

/** Single numbers of a program (bias corrections, schedules, counters), computed in float64 once a run. */
export class ScalarPlan {
  /** To be filled in before {@link evaluate}. */
  readonly sources: readonly ScalarSource[];
  readonly #positions: ReadonlyMap<Value, number>;
  readonly #steps: readonly ScalarStep[];
  readonly #initial: Float64Array;

  constructor(parts: {
    sources: readonly ScalarSource[];
    positions: ReadonlyMap<Value, number>;
    steps: readonly ScalarStep[];
    initial: Float64Array;
  }) {
    this.sources = parts.sources;
    this.#positions = parts.positions;
    this.#steps = parts.steps;
    this.#initial = parts.initial;
  }

  /** @param read - gives the number behind each source. */
  evaluate(read: (value: Value) => number): (value: Value) => number {
    const numbers = this.#initial.slice();
    for (const { value, position } of this.sources) numbers[position] = read(value);
    for (const { target, operands, rule, isInteger } of this.#steps)
      numbers[target] = rule(
        operands.map((operand) => (operand === undefined ? undefined : numbers[operand])),
        isInteger,
      );
    return (value) => numbers[this.#positions.get(value) as number] as number;
  }
}

/**
 * Plans the computation of single numbers.
 *
 * @param wanted - the numbers needed.
 * @param makers - the node that makes a number on the host; values without one are sources.
 * @param constants - numbers known beforehand.
 */
export function planScalars(
  wanted: Iterable<Value>,
  makers: ReadonlyMap<Value, Node>,
  constants: (value: Value) => number | undefined,
): ScalarPlan {
  const positions = new Map<Value, number>();
  const initial: number[] = [];
  const sources: ScalarSource[] = [];
  const steps: ScalarStep[] = [];
  const visit = (value: Value): number => {
    const known = positions.get(value);
    if (known !== undefined) return known;
    const maker = makers.get(value);
    const operands = maker && operandsOf(maker).map((input) => input && visit(input));
    const position = initial.push(constants(value) ?? 0) - 1;
    positions.set(value, position);
    if (maker !== undefined && operands !== undefined) steps.push(toStep(maker, position, operands));
    else if (constants(value) === undefined) sources.push({ value, position });
    return position;
  };
  for (const value of wanted) visit(value);
  return new ScalarPlan({ sources, positions, steps, initial: Float64Array.from(initial) });
}

function toStep(node: Node, target: number, operands: readonly (number | undefined)[]): ScalarStep {
  const [output] = node.outputs as readonly [Value];
  const isInteger = output.dtype === 'int32' || output.dtype === 'int64';
  return { target, operands, rule: ruleOf(node, output), isInteger };
}

function ruleOf(node: Node, output: Value): ScalarRule {
  if (node.op === 'Cast') return castRule(output);
  const rule = scalarRules[node.op as keyof typeof scalarRules];
  if (rule !== undefined && isScalar(output)) return rule;
  throw new ModelwrightError('unsupported-op', `${node.op} '${node.name}' has no form on single numbers.`, {
    op: node.op,
  });
}

function castRule({ dtype }: Value): ScalarRule {
  if (dtype === 'bool') return ([x]) => (x !== 0 ? 1 : 0);
  return dtype === 'int32' || dtype === 'int64' ? ([x]) => Math.trunc(x as number) : ([x]) => x as number;
}
