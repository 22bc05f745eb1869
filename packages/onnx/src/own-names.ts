import { domainOf, isOpName, modelwrightDomain, type Node, type OpName } from '@modelwright/core';

/** Name of the constant `false` that keeps what only training computes from being run. */
export const trainingCondition = 'ai.modelwright.training';

/**
 * Ops whose identity matters to whoever trains or decodes a model, so that a file keeps them: as functions of Modelwright's domain, whose
 * bodies are their simpler forms. All other ops that a file's opset lacks are replaced by those forms for good.
 */
export const keptOps: ReadonlySet<string> = new Set<OpName>([
  'StopGradient',
  'TrackStatistic',
  'FakeQuantize',
  'Positions',
  'Attention',
  'RotaryEmbedding',
]);

/** Name of a function that stands for an op. An op may have several: their bodies differ. */
export function functionName(op: string, index: number): string {
  return index === 0 ? op : `${op}_${index + 1}`;
}

/** The op that a function of Modelwright's domain stands for; undefined where it is none that is kept. */
export function opOfFunction(domain: string, name: string): Pick<Node, 'op' | 'domain'> | undefined {
  const op = name.replace(/_\d+$/, '');
  if (domain !== modelwrightDomain || !keptOps.has(op) || !isOpName(op)) return undefined;
  return { op, domain: domainOf(op) };
}
